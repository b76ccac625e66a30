//! What each public call wants of a credential: one table for all services, which `http-kit` asks before a handler runs.
//!
//! A call that is not in the table takes sessions and no API token, so that forgetting a row opens nothing. Whether the caller may do it to *this*
//! file, job or account is decided elsewhere.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::auth::Scope;

/// What a call wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Need {
    /// No credential; one that is there may say more of the caller.
    Nothing,
    /// Any good credential.
    Anyone,
    /// A sign-in: an API token is refused, whatever its scopes.
    Session,
    /// A credential with this scope.
    Scope(Scope),
}

/// One row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// The method.
    pub method: &'static str,
    /// The path as the OpenAPI document has it.
    pub path: &'static str,
    /// What it wants.
    pub need: Need,
}

const fn call(method: &'static str, path: &'static str, need: Need) -> Call {
    Call { method, path, need }
}

const READ: Need = Need::Scope(Scope::FilesRead);
const WRITE: Need = Need::Scope(Scope::FilesWrite);
const SHARES: Need = Need::Scope(Scope::Shares);
const JOBS: Need = Need::Scope(Scope::JobsRead);
const WORK: Need = Need::Scope(Scope::JobsWork);
const ACCOUNT: Need = Need::Scope(Scope::Account);
const ADMIN: Need = Need::Scope(Scope::Admin);

/// The table.
pub const CALLS: &[Call] = &[
    // auth-service
    call("GET", "/.well-known/jwks.json", Need::Nothing),
    call("GET", "/api/v1/setup", Need::Nothing),
    call("POST", "/api/v1/setup", Need::Nothing),
    call("POST", "/api/v1/auth/register", Need::Nothing),
    call("POST", "/api/v1/auth/login", Need::Nothing),
    call("POST", "/api/v1/auth/refresh", Need::Nothing),
    call("POST", "/api/v1/auth/logout", Need::Session),
    call("GET", "/api/v1/auth/oidc/providers", Need::Nothing),
    call("GET", "/api/v1/auth/oidc/{provider}/start", Need::Nothing),
    call("GET", "/api/v1/auth/oidc/{provider}/callback", Need::Nothing),
    call("POST", "/api/v1/auth/oidc/complete", Need::Nothing),
    call("GET", "/api/v1/users/me", Need::Anyone),
    call("POST", "/api/v1/auth/verify", Need::Nothing),
    call("POST", "/api/v1/auth/verify/resend", Need::Nothing),
    call("POST", "/api/v1/auth/password/forgot", Need::Nothing),
    call("POST", "/api/v1/auth/password/reset", Need::Nothing),
    call("PATCH", "/api/v1/users/me", ACCOUNT),
    call("DELETE", "/api/v1/users/me", Need::Session),
    call("GET", "/api/v1/users/me/export", ACCOUNT),
    call("POST", "/api/v1/users/me/export", Need::Session),
    call("POST", "/api/v1/users/me/email", Need::Session),
    call("POST", "/api/v1/users/me/email/confirm", Need::Session),
    call("POST", "/api/v1/users/me/password", Need::Session),
    call("POST", "/api/v1/users/me/totp", Need::Session),
    call("POST", "/api/v1/users/me/totp/confirm", Need::Session),
    call("DELETE", "/api/v1/users/me/totp", Need::Session),
    call("GET", "/api/v1/users/me/sessions", ACCOUNT),
    call("DELETE", "/api/v1/users/me/sessions", ACCOUNT),
    call("DELETE", "/api/v1/users/me/sessions/{id}", ACCOUNT),
    call("GET", "/api/v1/users/me/identities", ACCOUNT),
    call("POST", "/api/v1/users/me/identities", Need::Session),
    call("DELETE", "/api/v1/users/me/identities/{id}", Need::Session),
    call("GET", "/api/v1/users/me/tokens", ACCOUNT),
    call("POST", "/api/v1/users/me/tokens", Need::Session),
    call("DELETE", "/api/v1/users/me/tokens/{id}", ACCOUNT),
    call("GET", "/api/v1/admin/users", ADMIN),
    call("POST", "/api/v1/admin/users", ADMIN),
    call("GET", "/api/v1/admin/users/{id}", ADMIN),
    call("PATCH", "/api/v1/admin/users/{id}", ADMIN),
    call("DELETE", "/api/v1/admin/users/{id}", ADMIN),
    call("GET", "/api/v1/admin/invitations", ADMIN),
    call("POST", "/api/v1/admin/invitations", ADMIN),
    call("DELETE", "/api/v1/admin/invitations/{id}", ADMIN),
    call("POST", "/api/v1/admin/keys/rotate", ADMIN),
    call("GET", "/api/v1/admin/audit", ADMIN),
    call("GET", "/api/v1/groups", SHARES),
    call("POST", "/api/v1/groups", ADMIN),
    call("GET", "/api/v1/groups/{id}", SHARES),
    call("PATCH", "/api/v1/groups/{id}", ADMIN),
    call("DELETE", "/api/v1/groups/{id}", ADMIN),
    call("GET", "/api/v1/people", SHARES),
    call("POST", "/users", Need::Nothing),
    call("GET", "/users/me", Need::Anyone),
    call("GET", "/connect", Need::Nothing),
    call("GET", "/disconnect", Need::Session),
    // file-service
    call("GET", "/api/v1/files/{id}", READ),
    call("PATCH", "/api/v1/files/{id}", WRITE),
    call("DELETE", "/api/v1/files/{id}", WRITE),
    call("POST", "/api/v1/files", WRITE),
    call("GET", "/api/v1/files/{id}/children", READ),
    call("POST", "/api/v1/files/{id}/children", WRITE),
    call("PUT", "/api/v1/files/{id}/children/{name}/content", WRITE),
    call("GET", "/api/v1/files/{id}/content", READ),
    call("HEAD", "/api/v1/files/{id}/content", READ),
    call("PUT", "/api/v1/files/{id}/content", WRITE),
    call("GET", "/api/v1/files/{id}/path", READ),
    call("GET", "/api/v1/files/{id}/text", READ),
    call("GET", "/api/v1/files/{id}/entries", READ),
    call("GET", "/api/v1/search", READ),
    call("PUT", "/api/v1/files/{id}/public", SHARES),
    call("DELETE", "/api/v1/files/{id}/public", SHARES),
    call("POST", "/api/v1/files/{id}/restore", WRITE),
    call("GET", "/api/v1/files/{id}/thumbnails/{size}", READ),
    call("GET", "/api/v1/limits", READ),
    call("GET", "/api/v1/trash", READ),
    call("DELETE", "/api/v1/trash", WRITE),
    call("GET", "/api/v1/usage", READ),
    call("GET", "/api/v1/usage/types", READ),
    call("POST", "/api/v1/files/{id}/copy", WRITE),
    call("POST", "/api/v1/files/batch", WRITE),
    call("GET", "/api/v1/activity", READ),
    call("GET", "/api/v1/events", READ),
    call("GET", "/api/v1/operations", READ),
    call("GET", "/api/v1/operations/{id}", READ),
    call("POST", "/api/v1/operations/{id}/undo", WRITE),
    call("GET", "/api/v1/files/{id}/versions", READ),
    call("GET", "/api/v1/files/{id}/versions/{version}/content", READ),
    call("HEAD", "/api/v1/files/{id}/versions/{version}/content", READ),
    call("POST", "/api/v1/files/{id}/versions/{version}/restore", WRITE),
    call("DELETE", "/api/v1/files/{id}/versions/{version}", WRITE),
    call("GET", "/api/v1/starred", READ),
    call("GET", "/api/v1/recents", READ),
    call("GET", "/api/v1/tags", READ),
    call("GET", "/api/v1/tagged", READ),
    call("GET", "/api/v1/uploads", WRITE),
    call("POST", "/api/v1/uploads", WRITE),
    call("OPTIONS", "/api/v1/uploads", Need::Nothing),
    call("GET", "/api/v1/uploads/{id}", WRITE),
    call("POST", "/api/v1/uploads/{id}", WRITE),
    call("DELETE", "/api/v1/uploads/{id}", WRITE),
    call("HEAD", "/api/v1/uploads/{id}", WRITE),
    call("PATCH", "/api/v1/uploads/{id}", WRITE),
    call("GET", "/api/v1/files/{id}/shares", SHARES),
    call("POST", "/api/v1/files/{id}/shares", SHARES),
    call("GET", "/api/v1/files/{id}/links", SHARES),
    call("POST", "/api/v1/files/{id}/links", SHARES),
    call("GET", "/api/v1/shares/by-me", SHARES),
    call("GET", "/api/v1/shares/with-me", READ),
    call("PATCH", "/api/v1/shares/{id}", SHARES),
    call("DELETE", "/api/v1/shares/{id}", SHARES),
    call("GET", "/api/v1/links", SHARES),
    call("PATCH", "/api/v1/links/{id}", SHARES),
    call("DELETE", "/api/v1/links/{id}", SHARES),
    call("GET", "/api/v1/access", SHARES),
    call("DELETE", "/api/v1/access/{kind}/{id}", SHARES),
    call("GET", "/api/v1/files/{id}/archive", READ),
    call("HEAD", "/api/v1/files/{id}/archive", READ),
    call("GET", "/api/v1/archives", READ),
    call("HEAD", "/api/v1/archives", READ),
    call("POST", "/api/v1/archives", READ),
    call("GET", "/api/v1/exports/{id}", Need::Session),
    call("HEAD", "/api/v1/exports/{id}", Need::Session),
    call("GET", "/api/v1/public/{token}", Need::Nothing),
    call("GET", "/api/v1/public/{token}/children", Need::Nothing),
    call("PUT", "/api/v1/public/{token}/children/{name}/content", Need::Nothing),
    call("GET", "/api/v1/public/{token}/content", Need::Nothing),
    call("HEAD", "/api/v1/public/{token}/content", Need::Nothing),
    call("GET", "/api/v1/public/{token}/thumbnails/{size}", Need::Nothing),
    call("GET", "/api/v1/public/{token}/archive", Need::Nothing),
    call("HEAD", "/api/v1/public/{token}/archive", Need::Nothing),
    call("POST", "/api/v1/public/{token}/unlock", Need::Nothing),
    call("POST", "/api/v1/public/{token}/uploads", Need::Nothing),
    call("OPTIONS", "/api/v1/public/{token}/uploads", Need::Nothing),
    call("GET", "/api/v1/public/{token}/uploads/{id}", Need::Nothing),
    call("POST", "/api/v1/public/{token}/uploads/{id}", Need::Nothing),
    call("DELETE", "/api/v1/public/{token}/uploads/{id}", Need::Nothing),
    call("HEAD", "/api/v1/public/{token}/uploads/{id}", Need::Nothing),
    call("PATCH", "/api/v1/public/{token}/uploads/{id}", Need::Nothing),
    call("GET", "/files", READ),
    call("POST", "/files", WRITE),
    call("GET", "/files/{id}", READ),
    call("DELETE", "/files/{id}", WRITE),
    call("GET", "/files/{id}/data", READ),
    call("HEAD", "/files/{id}/data", READ),
    call("PUT", "/files/{id}/publish", SHARES),
    call("PUT", "/files/{id}/unpublish", SHARES),
    call("GET", "/stats", Need::Nothing),
    call("GET", "/status", Need::Nothing),
    // worker-service; jobs of others are for administrators besides
    call("GET", "/api/v1/users/me/jobs", JOBS),
    call("GET", "/api/v1/users/me/jobs/events", JOBS),
    call("GET", "/api/v1/users/me/jobs/summary", JOBS),
    call("GET", "/api/v1/users/me/jobs/{id}", JOBS),
    call("GET", "/api/v1/jobs", JOBS),
    call("POST", "/api/v1/jobs", ADMIN),
    call("POST", "/api/v1/jobs/claim", WORK),
    call("GET", "/api/v1/jobs/dead", JOBS),
    call("POST", "/api/v1/jobs/dead/retry", ADMIN),
    call("GET", "/api/v1/jobs/events", JOBS),
    call("POST", "/api/v1/jobs/pause", ADMIN),
    call("POST", "/api/v1/jobs/results", WORK),
    call("POST", "/api/v1/jobs/resume", ADMIN),
    call("GET", "/api/v1/jobs/schedules", JOBS),
    call("POST", "/api/v1/jobs/schedules", ADMIN),
    call("GET", "/api/v1/jobs/schedules/preview", JOBS),
    call("GET", "/api/v1/jobs/schedules/{id}", JOBS),
    call("PATCH", "/api/v1/jobs/schedules/{id}", ADMIN),
    call("DELETE", "/api/v1/jobs/schedules/{id}", ADMIN),
    call("POST", "/api/v1/jobs/schedules/{id}/run", ADMIN),
    call("GET", "/api/v1/jobs/stats", JOBS),
    call("GET", "/api/v1/jobs/types", JOBS),
    call("PUT", "/api/v1/jobs/types/{type}/limit", ADMIN),
    call("DELETE", "/api/v1/jobs/types/{type}/limit", ADMIN),
    call("GET", "/api/v1/jobs/{id}", JOBS),
    call("PATCH", "/api/v1/jobs/{id}", ADMIN),
    call("DELETE", "/api/v1/jobs/{id}", ADMIN),
    call("POST", "/api/v1/jobs/{id}/cancel", ADMIN),
    call("POST", "/api/v1/jobs/{id}/retry", ADMIN),
    call("GET", "/api/v1/jobs/{id}/log", JOBS),
    call("POST", "/api/v1/jobs/{id}/log", WORK),
    call("POST", "/api/v1/jobs/{id}/progress", WORK),
    call("POST", "/api/v1/jobs/{id}/heartbeat", WORK),
    call("POST", "/api/v1/jobs/{id}/complete", WORK),
    call("POST", "/api/v1/jobs/{id}/fail", WORK),
    call("POST", "/api/v1/jobs/{id}/return", WORK),
    // what a webhook is told outlives the credential that made it, so that a token must not make one
    call("GET", "/api/v1/notifications", ACCOUNT),
    call("POST", "/api/v1/notifications/read", ACCOUNT),
    call("GET", "/api/v1/webhooks", ACCOUNT),
    call("POST", "/api/v1/webhooks", Need::Session),
    call("GET", "/api/v1/webhooks/{id}", ACCOUNT),
    call("DELETE", "/api/v1/webhooks/{id}", ACCOUNT),
    call("PATCH", "/api/v1/webhooks/{id}", Need::Session),
    call("GET", "/api/v1/webhooks/{id}/deliveries", ACCOUNT),
    call("POST", "/api/v1/webhooks/{id}/deliveries/{delivery}/again", Need::Session),
    call("POST", "/api/v1/webhooks/{id}/secret", Need::Session),
    call("POST", "/api/v1/webhooks/{id}/test", Need::Session),
];

/// What a call wants, by its method and the path of its route; none if it is not in the table. `HEAD` is as `GET` unless it has a row of its own.
pub fn need(method: &str, path: &str) -> Option<Need> {
    static NEEDS: LazyLock<HashMap<(&str, &str), Need>> =
        LazyLock::new(|| CALLS.iter().map(|call| ((call.method, call.path), call.need)).collect());
    let of = |method| NEEDS.get(&(method, path)).copied();
    of(method).or_else(|| if method == "HEAD" { of("GET") } else { None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_call_has_one_row_and_a_service() {
        let rows: HashSet<_> = CALLS.iter().map(|call| (call.method, call.path)).collect();
        assert_eq!(rows.len(), CALLS.len());
        for call in CALLS {
            assert!(crate::routes::owner(call.path).is_some(), "{}", call.path);
        }
    }

    #[test]
    fn rows_are_found() {
        assert_eq!(need("GET", "/api/v1/files/{id}"), Some(READ));
        assert_eq!(need("HEAD", "/api/v1/files/{id}"), Some(READ));
        assert_eq!(need("PUT", "/api/v1/files/{id}"), None);
        assert_eq!(need("GET", "/api/v1/unknown"), None);
    }
}
