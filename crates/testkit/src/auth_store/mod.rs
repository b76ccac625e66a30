//! What every [`AuthStore`] promises.

mod accounts;
mod admin;
mod audit;
mod groups;
mod invitations;
mod keys;
mod sessions;
mod tokens;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use common::auth::{
    AccountStore, Address, AuditStore, AuthStore, GroupStore, InvitationStore, KeyAdmin, Role, Session,
    SessionKind, TokenStore, User, UserAdmin,
};
use common::jobs::Outbox;
use common::{Clock as _, SessionId, Timestamp, UserId};

use crate::{TestClock, TestIds};

pub use accounts::*;
pub use admin::*;
pub use audit::*;
pub use groups::*;
pub use invitations::*;
pub use keys::*;
pub use sessions::*;
pub use tokens::*;

/// A fresh store.
pub struct AuthSubject {
    /// The store.
    pub store: Arc<dyn AuthStore>,
    /// The same, as the store of API tokens.
    pub tokens: Arc<dyn TokenStore>,
    /// The same, as the audit log.
    pub audit: Arc<dyn AuditStore>,
    /// The same, as owners manage their accounts.
    pub accounts: Arc<dyn AccountStore>,
    /// The same, as administrators manage accounts.
    pub users: Arc<dyn UserAdmin>,
    /// The same, as administrators manage signing keys.
    pub keys: Arc<dyn KeyAdmin>,
    /// The same, as the store of invitations.
    pub invitations: Arc<dyn InvitationStore>,
    /// The same, as the store of groups.
    pub groups: Arc<dyn GroupStore>,
    /// Its outbox.
    pub outbox: Arc<dyn Outbox>,
    /// Ids.
    pub ids: TestIds,
    /// Time.
    pub clock: TestClock,
    _keep: Box<dyn Any + Send + Sync>,
}

impl AuthSubject {
    /// A subject over an empty store; `keep` lives as long as it does, such as a folder.
    pub fn new<S>(store: Arc<S>, keep: impl Any + Send + Sync) -> Self
    where
        S: AuthStore
            + AccountStore
            + TokenStore
            + AuditStore
            + UserAdmin
            + KeyAdmin
            + InvitationStore
            + GroupStore
            + Outbox
            + 'static,
    {
        Self {
            store: Arc::<S>::clone(&store),
            tokens: Arc::<S>::clone(&store),
            audit: Arc::<S>::clone(&store),
            accounts: Arc::<S>::clone(&store),
            users: Arc::<S>::clone(&store),
            keys: Arc::<S>::clone(&store),
            invitations: Arc::<S>::clone(&store),
            groups: Arc::<S>::clone(&store),
            outbox: store,
            ids: TestIds::new(),
            clock: TestClock::default(),
            _keep: Box::new(keep),
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn user(&self, address: &str) -> User {
        user(self.ids.next(), address, self.now())
    }

    async fn registered(&self, address: &str) -> User {
        let user = self.user(address);
        self.store.create_user(&user, &[]).await.expect("the address is free");
        user
    }

    fn session(&self, user: UserId, refresh: Option<u8>) -> Session {
        session(self.ids.next(), user, refresh.map(|byte| [byte; 32]), self.now())
    }
}

/// The hash of its password.
pub const HASH: &str = "$2b$04$hash";

/// An ordinary account.
pub fn user(id: UserId, address: &str, at: Timestamp) -> User {
    User {
        id,
        address: Address::parse(address).expect("the test gives a good address"),
        password_hash: HASH.to_owned(),
        role: Role::User,
        disabled: false,
        bootstrap: false,
        created_at: at,
    }
}

/// A session of an hour.
pub fn session(id: SessionId, user: UserId, refresh_hash: Option<[u8; 32]>, at: Timestamp) -> Session {
    Session {
        id,
        user,
        kind: if refresh_hash.is_some() { SessionKind::Token } else { SessionKind::Cookie },
        created_at: at,
        expires_at: at + Duration::from_secs(3600),
        revoked_at: None,
        device: Some("Browser/1.0".to_owned()),
        address: Some("192.0.2.7".to_owned()),
        refresh_hash,
    }
}

/// Makes a test of each check, for the adapter that `$make` opens: an async function that returns an [`AuthSubject`].
#[macro_export]
macro_rules! auth_store_suite {
    ($make:expr) => {
        $crate::suite!(
            $make,
            auth_store,
            [
                an_account_is_found_as_it_was_made,
                an_address_has_one_account_whatever_its_case,
                of_simultaneous_accounts_with_one_address_one_is_made,
                the_first_administrator_is_made_once,
                of_simultaneous_first_administrators_one_is_made,
                the_count_leaves_out_bootstrap_administrators,
                jobs_enter_the_outbox_with_the_account_or_not_at_all,
                a_password_hash_is_upgraded_only_from_the_one_that_was_seen,
                a_session_is_found_as_it_was_made,
                a_session_ends_once,
                a_refresh_token_works_once,
                a_reused_refresh_token_ends_the_session,
                a_refresh_whose_answer_was_lost_can_be_repeated,
                a_refresh_token_is_not_repeated_after_the_grace,
                simultaneous_refreshes_share_the_session,
                a_refresh_of_an_ended_session_is_unknown,
                a_reuse_in_an_ended_session_is_told_again,
                ended_sessions_are_removed_in_steps,
                signing_keys_come_newest_first_until_they_retire,
                the_store_answers_a_ping,
                signing_keys_are_replaced_with_a_line_of_the_log,
                a_token_is_found_as_it_was_made,
                a_token_comes_with_the_password_that_it_was_made_by_or_not_at_all,
                an_account_is_made_verified_or_not,
                jobs_go_with_the_change_of_an_account,
                an_account_has_only_so_many_tokens,
                a_token_ends_once_and_tells_its_hash_again,
                uses_of_tokens_are_noted,
                ended_tokens_are_removed_in_steps,
                the_log_is_listed_newest_first,
                the_log_is_filtered,
                old_lines_of_the_log_are_removed,
                accounts_are_listed_and_found,
                an_account_is_changed_with_its_line_of_the_log,
                the_last_administrator_stays,
                of_administrators_who_end_one_another_one_stays,
                a_new_password_ends_the_sessions,
                all_sessions_of_an_account_end,
                a_removed_account_leaves_nothing,
                invitations_are_listed_until_they_end,
                an_invitation_works_once_and_for_whom_it_is,
                of_simultaneous_uses_of_an_invitation_one_succeeds,
                jobs_go_with_an_invitation,
                a_group_is_found_as_it_was_made,
                a_group_is_changed_and_deleted,
                an_account_that_goes_leaves_its_groups,
                people_are_found_by_the_beginning_of_their_address,
            ]
        );
    };
}
