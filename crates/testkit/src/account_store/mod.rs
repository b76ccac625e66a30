//! What every [`AccountStore`] promises.

mod address;
mod codes;
mod deletion;
mod devices;
mod exports;
mod identities;
mod password;
mod profile;
mod sessions;
mod totp;

use std::any::Any;
use std::sync::Arc;

use common::auth::{
    AccountStore, ApiToken, AuditAction, AuditEntry, AuditStore, AuthStore, ExportStore, GroupStore,
    IdentityStore, Scope, Session, TokenStore, User, UserAdmin,
};
use common::jobs::Outbox;
use common::{Clock as _, Timestamp, UserId};

use crate::auth_store::{HASH, session, user};
use crate::outbox::job;
use crate::{TestClock, TestIds};

pub use address::*;
pub use codes::*;
pub use deletion::*;
pub use devices::*;
pub use exports::*;
pub use identities::*;
pub use password::*;
pub use profile::*;
pub use sessions::*;
pub use totp::*;

/// A fresh store.
pub struct AccountSubject {
    /// The store, as owners of accounts use it.
    pub accounts: Arc<dyn AccountStore>,
    /// The same, as sign-ins use it.
    pub store: Arc<dyn AuthStore>,
    /// The same, as administrators use it.
    pub users: Arc<dyn UserAdmin>,
    /// The same, as the store of API tokens.
    pub tokens: Arc<dyn TokenStore>,
    /// The same, as the store of groups.
    pub groups: Arc<dyn GroupStore>,
    /// The same, as the store of identities.
    pub identities: Arc<dyn IdentityStore>,
    /// The same, as the log.
    pub audit: Arc<dyn AuditStore>,
    /// The same, as the store of exports.
    pub exports: Arc<dyn ExportStore>,
    /// Its outbox.
    pub outbox: Arc<dyn Outbox>,
    /// Ids.
    pub ids: TestIds,
    /// Time.
    pub clock: TestClock,
    _keep: Box<dyn Any + Send + Sync>,
}

impl AccountSubject {
    /// A subject over an empty store; `keep` lives as long as it does, such as a folder.
    pub fn new<S>(store: Arc<S>, keep: impl Any + Send + Sync) -> Self
    where
        S: AccountStore
            + IdentityStore
            + AuthStore
            + UserAdmin
            + TokenStore
            + GroupStore
            + AuditStore
            + ExportStore
            + Outbox
            + 'static,
    {
        Self {
            accounts: Arc::<S>::clone(&store),
            store: Arc::<S>::clone(&store),
            users: Arc::<S>::clone(&store),
            tokens: Arc::<S>::clone(&store),
            groups: Arc::<S>::clone(&store),
            identities: Arc::<S>::clone(&store),
            audit: Arc::<S>::clone(&store),
            exports: Arc::<S>::clone(&store),
            outbox: store,
            ids: TestIds::new(),
            clock: TestClock::default(),
            _keep: Box::new(keep),
        }
    }

    /// A line of the audit log, whatever it says.
    fn line(&self) -> AuditEntry {
        AuditEntry {
            id: self.ids.next(),
            at: self.now(),
            actor: None,
            credential: None,
            action: AuditAction::UserChanged,
            target: None,
            address: None,
            details: serde_json::Map::new(),
        }
    }

    /// Deletes an account with one job.
    async fn delete(&self, user: UserId, deletes_at: Timestamp) -> bool {
        let jobs = [job(&self.ids, "account-ended", self.now())];
        self.accounts.delete_user(user, deletes_at, &jobs, &self.line()).await.expect("the store answers")
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn registered(&self, address: &str) -> User {
        let user = user(self.ids.next(), address, self.now());
        self.store.create_user(&user, &[]).await.expect("the address is free");
        user
    }

    /// An API token without an end, kept.
    async fn token(&self, user: UserId, byte: u8) -> ApiToken {
        let token = ApiToken {
            id: self.ids.next(),
            user,
            name: "t".to_owned(),
            hash: [byte; 32],
            scopes: [Scope::FilesRead].into_iter().collect(),
            folder: None,
            created_at: self.now(),
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        };
        self.tokens.create_token(&token, HASH, 10, &[], &self.line()).await.expect("it is one of few");
        token
    }

    /// A session of an hour, kept.
    async fn opened(&self, user: UserId, refresh: Option<u8>) -> Session {
        let session = session(self.ids.next(), user, refresh.map(|byte| [byte; 32]), self.now());
        self.store.create_session(&session).await.expect("a session is kept");
        session
    }
}

/// Makes a test of each check, for the adapter that `$make` opens: an async function that returns an [`AccountSubject`].
#[macro_export]
macro_rules! account_store_suite {
    ($make:expr) => {
        $crate::suite!(
            $make,
            account_store,
            [
                sessions_are_listed_newest_first_in_pages,
                only_live_sessions_are_listed_and_counted,
                all_sessions_but_one_are_ended,
                a_use_is_noted_now_and_then,
                a_code_is_found_as_it_was_kept_until_it_expires,
                expired_codes_are_removed_in_steps,
                a_new_password_ends_the_other_sessions,
                a_reset_code_works_once,
                identities_go_with_the_password_that_somebody_else_knew,
                an_account_comes_with_the_code_that_verifies_it,
                an_address_changes_by_both_codes,
                only_the_letters_of_an_address_may_change,
                an_address_goes_to_one_account,
                a_profile_changes_from_the_revision_that_was_seen,
                a_second_factor_counts_when_it_is_confirmed,
                a_recovery_code_works_once,
                a_second_factor_leaves_nothing_to_whoever_knew_the_password,
                a_device_is_new_where_others_are_known,
                the_devices_seen_last_are_kept,
                an_account_waits_to_be_deleted,
                a_deleted_account_leaves_nothing,
                the_last_administrator_cannot_ask_to_be_deleted,
                deletions_are_listed_when_they_are_due,
                people_are_found_by_one_question_and_who_waits_by_none,
                an_account_that_an_administrator_removes_leaves_nothing,
                a_password_that_an_administrator_sets_ends_codes_and_devices,
                a_newer_change_of_address_takes_the_place_of_older_ones,
                after_a_new_password_another_device_is_new,
                second_factors_are_sealed_anew,
                signing_keys_are_sealed_anew,
                an_identity_is_found_by_issuer_and_subject,
                an_identity_opens_one_account,
                an_account_comes_with_its_identity,
                the_last_way_into_an_account_stays,
                one_export_of_an_account_runs_at_a_time,
                the_parts_of_an_export_are_those_of_its_newest_run,
                an_export_ends_once_and_goes_when_its_time_is_over,
                an_export_goes_with_its_account,
            ]
        );
    };
}
