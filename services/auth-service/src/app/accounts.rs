//! Making accounts, and what stays the same whoever asks for it.

use std::sync::Arc;

use common::auth::{Address, AuditEntry, AuthStore, CreateUserError, Password, Role, User};
use common::{Clock, IdGen, PortError, UserId};

use runtime::passwords::{HashError, PasswordHasher};

/// Makes accounts. The administrator's command uses it too, without the rest of the service.
#[derive(Clone)]
pub struct Accounts {
    pub(crate) store: Arc<dyn AuthStore>,
    pub(crate) hasher: PasswordHasher,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdGen>,
}

/// Why an account was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateAccountError {
    /// The address has an account.
    #[error("the address is taken")]
    AddressTaken,
    /// A first administrator was asked for, and there is one.
    #[error("there is an administrator already")]
    AlreadySetUp,
    /// The password could not be hashed now.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The store could not say.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<CreateUserError> for CreateAccountError {
    fn from(error: CreateUserError) -> Self {
        match error {
            CreateUserError::AddressTaken => Self::AddressTaken,
            CreateUserError::AlreadySetUp => Self::AlreadySetUp,
            CreateUserError::Port(error) => Self::Port(error),
        }
    }
}

impl Accounts {
    /// An account maker over these ports.
    pub fn new(
        store: Arc<dyn AuthStore>,
        hasher: PasswordHasher,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGen>,
    ) -> Self {
        Self { store, hasher, clock, ids }
    }

    /// An ordinary account that the store does not have yet.
    pub(crate) async fn prepare(
        &self,
        address: Address,
        password: &Password,
    ) -> Result<User, CreateAccountError> {
        // spares the hash in the usual case; the store decides
        if self.store.find_user_by_address(&address.key()).await?.is_some() {
            return Err(CreateAccountError::AddressTaken);
        }
        Ok(self.new_user(address, password, Role::User, false).await?)
    }

    /// Makes the first administrator, with its line of the audit log.
    pub(crate) async fn create_first_admin(
        &self,
        address: Address,
        password: &Password,
        line: impl FnOnce(&User) -> AuditEntry + Send,
    ) -> Result<User, CreateAccountError> {
        if self.store.has_admin().await? {
            return Err(CreateAccountError::AlreadySetUp);
        }
        let user = self.new_user(address, password, Role::Admin, true).await?;
        self.store.create_first_admin(&user, &[], &line(&user)).await?;
        Ok(user)
    }

    pub(crate) async fn new_user(
        &self,
        address: Address,
        password: &Password,
        role: Role,
        bootstrap: bool,
    ) -> Result<User, HashError> {
        Ok(User {
            id: UserId(self.ids.object_id()),
            address,
            password_hash: self.hasher.hash(password).await?,
            role,
            disabled: false,
            bootstrap,
            created_at: self.clock.now(),
        })
    }
}
