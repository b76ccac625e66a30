//! Accounts of another product, taken over.

use async_trait::async_trait;
use common::auth::{
    AccountIntake, AddressKey, AuditAction, CreateUserError, FormerAccount, FormerPassword, Role, User,
};
use common::{PortError, PortResult, UserId};
use runtime::passwords::HashError;
use serde_json::json;

use super::admin::Administration;
use super::audit::Author;

#[async_trait]
impl AccountIntake for Administration {
    async fn find_by_id(&self, id: UserId) -> PortResult<Option<User>> {
        self.accounts.store.find_user(id).await
    }

    async fn find_by_address(&self, key: &AddressKey) -> PortResult<Option<User>> {
        self.accounts.store.find_user_by_address(key).await
    }

    async fn take(&self, account: &FormerAccount) -> Result<(), CreateUserError> {
        let password_hash = match &account.password {
            FormerPassword::Sha1(digest) => {
                self.accounts.hasher.hash_sha1(*digest).await.map_err(|error| match error {
                    HashError::Busy => PortError::unavailable("passwords", error),
                    HashError::Port(error) => error,
                })?
            }
            FormerPassword::Unusable => String::new(),
        };
        let user = User {
            id: account.id,
            address: account.address.clone(),
            password_hash,
            role: Role::User,
            disabled: false,
            bootstrap: false,
            created_at: account.created_at.min(self.accounts.clock.now()),
        };
        let details = json!({ "role": Role::User, "takenOver": true });
        let entry = self.entry(&Author::default(), AuditAction::UserMade, user.id, details);
        self.stores.users.add_user(&user, false, &[], &entry).await
    }
}
