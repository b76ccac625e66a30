//! What administrators do with accounts. The API and the command use the same functions.

use std::sync::Arc;

use common::auth::mail::AccountEvent;
use common::auth::{
    AccountStore, Address, AuditAction, AuditEntry, ChangeUserError, CreateUserError, CredentialCache,
    Password, PasswordRules, Role, User, UserChange, UserFilter,
};
use common::files::{UserSpaces, UserUsage};
use common::jobs::NewJob;
use common::jobs::types::{account_ended, welcome_mail};
use common::{JobId, PortError, PortResult, SigningKeyId, UserId};
use serde_json::{Map, Value, json};

use super::accounts::{Accounts, CreateAccountError};
use super::audit::{self, Author};
use super::setup::{self, NewCredentials};
use super::stores::AdminStores;
use super::{Client, keys, mails, verification};
use crate::settings::Verify;
use runtime::passwords::HashError;
use runtime::secrets::MasterKey;

/// Administrators that are read at a time.
const ADMINISTRATORS_AT_ONCE: u32 = 500;

/// The use cases of an administrator, without the rest of the service.
#[derive(Clone)]
pub struct Administration {
    /// Makes accounts.
    pub accounts: Accounts,
    /// The stores.
    pub stores: AdminStores,
    /// Accounts, as their owners manage them.
    pub account_store: Arc<dyn AccountStore>,
    /// What all services remember of credentials.
    pub cache: Arc<dyn CredentialCache>,
    /// Quotas, which are file-service's.
    pub spaces: Arc<dyn UserSpaces>,
    /// Seals what mails say.
    pub master_key: Arc<MasterKey>,
    /// What new passwords must be.
    pub password_rules: PasswordRules,
    /// Whether the address of a new account must be verified before it can be used.
    pub verify: Verify,
}

/// Why an administrator's change was not made.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// There is no such account.
    #[error("there is no such account")]
    NotFound,
    /// No administrator would be left.
    #[error("this is the last administrator")]
    LastAdministrator,
    /// The address has an account.
    #[error("the address is taken")]
    AddressTaken,
    /// The password could not be hashed now.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// A store or a service could not say.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<ChangeUserError> for AdminError {
    fn from(error: ChangeUserError) -> Self {
        match error {
            ChangeUserError::NotFound => Self::NotFound,
            ChangeUserError::LastAdministrator => Self::LastAdministrator,
            ChangeUserError::Port(error) => Self::Port(error),
        }
    }
}

impl From<CreateUserError> for AdminError {
    fn from(error: CreateUserError) -> Self {
        match error {
            CreateUserError::AddressTaken => Self::AddressTaken,
            CreateUserError::AlreadySetUp => {
                Self::Port(PortError::broken("store", "an account was answered like a first administrator"))
            }
            CreateUserError::Port(error) => Self::Port(error),
        }
    }
}

/// An account that an administrator makes.
pub(crate) struct NewAccount {
    pub(crate) address: Address,
    pub(crate) password: Password,
    pub(crate) role: Role,
    /// The administrator knows that the address is its owner's: no code is asked for.
    pub(crate) verified: bool,
}

/// What of an account shall be different.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct AccountChange {
    pub(crate) role: Option<Role>,
    pub(crate) disabled: Option<bool>,
    /// Another quota; `Some(None)` lifts it.
    pub(crate) quota_bytes: Option<Option<u64>>,
    /// Ends all its sessions.
    pub(crate) sign_out: bool,
}

impl AccountChange {
    /// Whether this account administers by it which did not before.
    pub(crate) fn makes_an_administrator_of(&self, user: &User) -> bool {
        let administers = |user: &User| user.role == Role::Admin && !user.disabled;
        let change = UserChange { role: self.role, disabled: self.disabled };
        !administers(user) && administers(&change.apply(user.clone()))
    }
}

impl Administration {
    pub(super) fn entry(
        &self,
        by: &Author,
        action: AuditAction,
        target: UserId,
        details: Value,
    ) -> AuditEntry {
        let Accounts { ids, clock, .. } = &self.accounts;
        audit::entry(&**ids, &**clock, by, action, Some(target.to_string()), details)
    }

    /// Makes the first administrator, for whoever can open the store.
    pub(crate) async fn create_first_admin(
        &self,
        credentials: NewCredentials,
    ) -> Result<User, CreateAccountError> {
        let line = |user: &User| {
            let details = json!({ "role": user.role, "how": "command" });
            self.entry(&Author::default(), AuditAction::UserMade, user.id, details)
        };
        setup::create_first_admin(&self.accounts, credentials, line).await
    }

    /// The job that tells the owner of an account what the administrator's command did to it; none if its address is no mailbox.
    pub(crate) fn notice(&self, user: &User, event: AccountEvent) -> Vec<NewJob> {
        mails::notice_of(&self.accounts, &self.master_key, &Client::default(), user, event)
    }

    /// Makes an account of any role, and the job that welcomes it. Where addresses must be verified, a code goes by mail, unless the administrator answers for
    /// the address. All administrators are told of another one.
    pub(crate) async fn create(
        &self,
        by: &Author,
        client: &Client,
        new: NewAccount,
    ) -> Result<User, AdminError> {
        let NewAccount { address, password, role, verified } = new;
        let accounts = &self.accounts;
        if accounts.store.find_user_by_address(&address.key()).await?.is_some() {
            return Err(AdminError::AddressTaken);
        }
        let user = accounts.new_user(address, &password, role, false).await?;
        let welcome = welcome_mail(JobId(accounts.ids.object_id()), user.id, user.created_at);
        let mut jobs = vec![welcome.caused_by(&client.cause)];
        if role == Role::Admin {
            jobs.extend(self.tell_administrators(client, &user).await?);
        }
        let details = json!({ "role": role, "verified": verified });
        let entry = self.entry(by, AuditAction::UserMade, user.id, details);
        if self.verify == Verify::Required && !verified {
            let (code, mail) =
                verification::code_by_mail(accounts, &self.master_key, client, Some(user.id), &user.address)?;
            jobs.push(mail);
            self.account_store.create_user_with_code(&user, &code, &jobs, &entry).await?;
        } else {
            self.stores.users.add_user(&user, verified, &jobs, &entry).await?;
        }
        tracing::info!(user = %user.id, role = role.word(), "account made by an administrator");
        Ok(user)
    }

    /// The jobs that tell all administrators of another one: who makes themselves one is seen by those that there are.
    pub(crate) async fn tell_administrators(&self, client: &Client, made: &User) -> PortResult<Vec<NewJob>> {
        let filter = UserFilter { role: Some(Role::Admin), disabled: Some(false), ..UserFilter::default() };
        let (mut jobs, mut before) = (Vec::new(), None);
        loop {
            let page = self.stores.users.list_users(&filter, before, ADMINISTRATORS_AT_ONCE).await?;
            for admin in page.items.iter().filter(|admin| admin.id != made.id) {
                let account = made.address.as_str().to_owned();
                let event = AccountEvent::AdministratorMade { account };
                jobs.extend(mails::notice_of(&self.accounts, &self.master_key, client, admin, event));
            }
            before = page.items.last().map(|admin| admin.id);
            if !page.more {
                return Ok(jobs);
            }
        }
    }

    /// Changes an account, for the next request everywhere. What is refused changes nothing; what fails half-way may be repeated. A disabled account is signed
    /// out; its API tokens come back with it. All is done even if the cache cannot be told, but then it is not answered as done.
    pub(crate) async fn change(
        &self,
        by: &Author,
        client: &Client,
        id: UserId,
        change: AccountChange,
    ) -> Result<User, AdminError> {
        let mut user = self.accounts.store.find_user(id).await?.ok_or(AdminError::NotFound)?;
        if change.role.is_some() || change.disabled.is_some() {
            let mut details = Map::new();
            if let Some(role) = change.role {
                details.insert("role".into(), json!(role));
            }
            if let Some(disabled) = change.disabled {
                details.insert("disabled".into(), json!(disabled));
            }
            let entry = self.entry(by, AuditAction::UserChanged, id, details.into());
            let store_change = UserChange { role: change.role, disabled: change.disabled };
            let told = if change.makes_an_administrator_of(&user) {
                self.tell_administrators(client, &user).await?
            } else {
                Vec::new()
            };
            user = self.stores.users.change_user(id, &store_change, &told, &entry).await?;
        }
        if change.sign_out || change.disabled == Some(true) {
            let entry = self.entry(by, AuditAction::UserSignedOut, id, Value::Null);
            self.stores.users.end_sessions(id, entry.at, &entry).await?;
        }
        let of_credentials = change.role.is_some() || change.disabled.is_some() || change.sign_out;
        // hides all that is remembered of its sessions and tokens for longer than it would be remembered
        let told = if of_credentials { self.cache.forget_user(id).await } else { Ok(()) };
        if let Some(quota) = change.quota_bytes {
            self.spaces.set_quota_of(id, quota).await?;
            let entry = self.entry(by, AuditAction::UserChanged, id, json!({ "quotaBytes": quota }));
            self.stores.audit.write_audit(&[entry]).await?;
        }
        told?;
        tracing::info!(user = %id, "account changed by an administrator");
        Ok(user)
    }

    /// Gives an account a new password, signs it out, ends its API tokens and, if it had a password before, its identities, and tells its owner.
    pub(crate) async fn reset_password(
        &self,
        by: &Author,
        user: &User,
        password: &Password,
    ) -> Result<(), AdminError> {
        let hash = self.accounts.hasher.hash(password).await?;
        let identities = match user.password() {
            Some(_) => self.stores.identities.list_identities(user.id).await?.len(),
            None => 0,
        };
        let details = json!({ "tokensEnded": true, "identitiesEnded": identities });
        let entry = self.entry(by, AuditAction::PasswordReset, user.id, details);
        let event = AccountEvent::PasswordSet { identities_ended: identities > 0 };
        let notice = self.notice(user, event);
        self.stores.users.reset_password(user.id, &hash, entry.at, &notice, &entry).await?;
        self.cache.forget_user(user.id).await?;
        Ok(())
    }

    /// Takes the second factor away, for an owner who has lost it. False if there is none.
    pub(crate) async fn reset_second_factor(
        &self,
        by: &Author,
        id: UserId,
        notices: &[NewJob],
    ) -> Result<bool, AdminError> {
        let entry = self.entry(by, AuditAction::SecondFactorReset, id, Value::Null);
        let removed = self.account_store.remove_totp(id, notices, Some(&entry)).await?;
        if removed {
            tracing::info!(user = %id, "second factor removed by an administrator");
        }
        Ok(removed)
    }

    /// Removes an account, for the next request everywhere, with all that it opened to others. What other services have of it goes by a job that is in the
    /// outbox with the commit. Without the cache nothing is removed: a repetition would find nobody whose sessions it could have forgotten.
    pub(crate) async fn remove(&self, by: &Author, id: UserId) -> Result<(), AdminError> {
        if self.accounts.store.find_user(id).await?.is_none() {
            return Err(AdminError::NotFound);
        }
        self.cache.forget_user(id).await?;
        let entry = self.entry(by, AuditAction::UserDeleted, id, Value::Null);
        let job = account_ended(id, entry.at);
        self.stores.users.remove_user(id, &[job], &entry).await?;
        tracing::info!(user = %id, "account removed by an administrator");
        Ok(())
    }

    /// Makes a new signing key now. It signs when every service has had time to learn of it, and those before verify until they retire; or, if they may be known
    /// to somebody else, they are gone and it signs at once: then whatever they signed fails, cookies of the page among it, while refresh tokens and API
    /// tokens, which no key signs, go on. Then the services have to be told, too: [`CredentialCache::forget_keys`].
    pub(crate) async fn make_signing_key(&self, by: &Author, compromised: bool) -> PortResult<SigningKeyId> {
        let Accounts { ids, clock, .. } = &self.accounts;
        let key = keys::new_key(&self.master_key, &**ids, clock.now());
        let details = json!({ "compromised": compromised });
        let target = Some(key.id.to_string());
        let line = audit::entry(&**ids, &**clock, by, AuditAction::KeysRotated, target, details);
        self.stores.keys.rotate_signing_keys(&key, compromised, &line).await?;
        metrics::counter!("fm_auth_signing_keys_made_total").increment(1);
        tracing::info!(key = %key.id, compromised, "signing key made by an administrator");
        Ok(key.id)
    }

    /// What the account's space holds; none while file-service does not answer.
    pub(crate) async fn usage(&self, id: UserId) -> Option<UserUsage> {
        match self.spaces.usage_of(id).await {
            Ok(usage) => Some(usage),
            Err(error) => {
                tracing::warn!(%error, "the usage of an account cannot be asked");
                None
            }
        }
    }

    /// The account with this address.
    pub(crate) async fn find(&self, address: &Address) -> Result<User, AdminError> {
        self.accounts.store.find_user_by_address(&address.key()).await?.ok_or(AdminError::NotFound)
    }
}
