//! Which service owns which public path: the gateway's routes, the all-in-one's mounts and the merged OpenAPI document come from here.

/// A service of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// Users, sessions, tokens.
    Auth,
    /// Files, folders, contents, shares.
    Files,
    /// Jobs, notifications, webhooks.
    Worker,
}

impl Service {
    /// All services.
    pub const ALL: [Self; 3] = [Self::Auth, Self::Files, Self::Worker];

    /// The name in logs, metrics and configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth-service",
            Self::Files => "file-service",
            Self::Worker => "worker-service",
        }
    }
}

/// One row: every path at or below `prefix` belongs to `service`, unless a longer prefix says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// A path without a slash at its end. It matches itself and whatever follows after a slash.
    pub prefix: &'static str,
    /// Who answers.
    pub service: Service,
}

const fn route(prefix: &'static str, service: Service) -> Route {
    Route { prefix, service }
}

/// The table. Order does not matter: the longest prefix wins.
pub const ROUTES: &[Route] = &[
    route("/users", Service::Auth),
    route("/connect", Service::Auth),
    route("/disconnect", Service::Auth),
    route("/.well-known/jwks.json", Service::Auth),
    route("/api/v1/setup", Service::Auth),
    route("/api/v1/auth", Service::Auth),
    route("/api/v1/users", Service::Auth),
    route("/api/v1/admin", Service::Auth),
    route("/api/v1/groups", Service::Auth),
    route("/api/v1/people", Service::Auth),
    route("/files", Service::Files),
    route("/stats", Service::Files),
    route("/status", Service::Files),
    route("/events", Service::Files),
    route("/api/v1", Service::Files),
    route("/api/openapi.json", Service::Files),
    route("/api/docs", Service::Files),
    route("/api/v1/jobs", Service::Worker),
    route("/api/v1/users/me/jobs", Service::Worker),
    route("/api/v1/notifications", Service::Worker),
    route("/api/v1/webhooks", Service::Worker),
];

/// The rows of the classic API, whose failures have a form of their own.
pub const CLASSIC: &[&str] = &["/users", "/connect", "/disconnect", "/files", "/stats", "/status"];

/// Paths whose answer is a stream of events without an end, or waits for long before it comes. They may lie below any row of the table.
pub const STREAMS: &[&str] = &[
    "/events",
    "/api/v1/events",
    "/api/v1/jobs/events",
    "/api/v1/jobs/claim",
    "/api/v1/users/me/jobs/events",
];

/// The first segments of paths that no gateway routes: what services ask one another, and what monitoring asks them.
pub const PRIVATE: &[&str] = &["/internal", "/metrics", "/health"];

/// The gateway's internal location for blobs on a shared disk; below it their paths under the disk's folder of blobs.
pub const DISK_LOCATION: &str = "/_blobs";

/// The gateway's internal location for blobs in an S3 store; below it the path and the query of a signed address.
pub const S3_LOCATION: &str = "/_s3";

/// Before one of the two: the whole blob, whatever range the client asked for.
pub const WHOLE_LOCATION: &str = "/_whole";

/// The service that owns a public path, or none: then it is the page's, or unknown.
pub fn owner(path: &str) -> Option<Service> {
    ROUTES
        .iter()
        .filter(|route| {
            path.strip_prefix(route.prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
        .max_by_key(|route| route.prefix.len())
        .map(|route| route.service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_wins() {
        assert_eq!(owner("/users/me"), Some(Service::Auth));
        assert_eq!(owner("/api/v1/users/me"), Some(Service::Auth));
        assert_eq!(owner("/api/v1/users/me/jobs"), Some(Service::Worker));
        assert_eq!(owner("/api/v1/users/me/jobs/summary"), Some(Service::Worker));
        assert_eq!(owner("/api/v1/files/root/children"), Some(Service::Files));
        assert_eq!(owner("/files"), Some(Service::Files));
    }

    #[test]
    fn streams_are_routed_and_private_paths_are_not() {
        assert!(STREAMS.iter().all(|path| owner(path).is_some()));
        for path in PRIVATE.iter().chain(&[DISK_LOCATION, S3_LOCATION, WHOLE_LOCATION]) {
            assert_eq!(owner(path), None, "{path}");
        }
    }

    #[test]
    fn a_prefix_ends_at_a_slash() {
        assert_eq!(owner("/filesystem"), None);
        assert_eq!(owner("/app/files"), None);
        assert_eq!(owner("/"), None);
    }
}
