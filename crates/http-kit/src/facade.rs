//! Which of the two public faces a path belongs to: they write their errors differently.

use actix_web::HttpRequest;

/// A public face of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Facade {
    /// The classic API at the root: errors are `{"error": "<message>"}`.
    Classic,
    /// Everything else: errors are `application/problem+json`.
    V1,
}

impl Facade {
    /// The face that a path belongs to.
    pub fn of_path(path: &str) -> Self {
        let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        match first {
            "users" | "connect" | "disconnect" | "files" | "stats" | "status" => Self::Classic,
            _ => Self::V1,
        }
    }

    /// The face that a request speaks to.
    pub fn of(request: &HttpRequest) -> Self {
        Self::of_path(request.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_route_table_says_the_same() {
        for route in common::routes::ROUTES {
            let classic = Facade::of_path(route.prefix) == Facade::Classic;
            assert_eq!(common::routes::CLASSIC.contains(&route.prefix), classic, "{}", route.prefix);
        }
    }

    #[test]
    fn the_classic_face_is_the_first_segment() {
        for path in ["/users", "/users/me", "/files/0/data", "/connect", "/stats", "/status", "/disconnect"] {
            assert_eq!(Facade::of_path(path), Facade::Classic, "{path}");
        }
        for path in ["/", "/api/v1/users", "/filesystem", "/internal/keys", "/health/live", "/app/files"] {
            assert_eq!(Facade::of_path(path), Facade::V1, "{path}");
        }
    }
}
