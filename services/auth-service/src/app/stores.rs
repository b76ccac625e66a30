use std::sync::Arc;

use common::auth::{
    AuditStore, ExportStore, GroupStore, IdentityStore, InvitationStore, KeyAdmin, TokenStore, UserAdmin,
};

/// The parts of auth-service's store that belong to tokens and administration. All of them are one store: its changes and their lines of the audit log
/// are one commit.
#[derive(Clone)]
pub struct AdminStores {
    /// API tokens.
    pub tokens: Arc<dyn TokenStore>,
    /// The audit log.
    pub audit: Arc<dyn AuditStore>,
    /// Accounts, as administrators manage them.
    pub users: Arc<dyn UserAdmin>,
    /// Signing keys, as administrators manage them.
    pub keys: Arc<dyn KeyAdmin>,
    /// Invitations.
    pub invitations: Arc<dyn InvitationStore>,
    /// Identities of providers.
    pub identities: Arc<dyn IdentityStore>,
    /// Groups.
    pub groups: Arc<dyn GroupStore>,
    /// What accounts have asked to take with them.
    pub exports: Arc<dyn ExportStore>,
}

impl AdminStores {
    /// All of them in one store.
    pub fn of<S>(store: &Arc<S>) -> Self
    where
        S: TokenStore
            + AuditStore
            + UserAdmin
            + KeyAdmin
            + InvitationStore
            + IdentityStore
            + GroupStore
            + ExportStore
            + 'static,
    {
        Self {
            tokens: Arc::<S>::clone(store),
            audit: Arc::<S>::clone(store),
            users: Arc::<S>::clone(store),
            keys: Arc::<S>::clone(store),
            invitations: Arc::<S>::clone(store),
            identities: Arc::<S>::clone(store),
            groups: Arc::<S>::clone(store),
            exports: Arc::<S>::clone(store),
        }
    }
}
