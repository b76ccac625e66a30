//! What the lists of administrators have in common.

use common::{Code, ObjectId};
use http_kit::{ApiResult, Problem, cursor};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::AuthService;

/// Items of a page where the request does not say.
const DEFAULT_LIMIT: u32 = 100;
/// Most items of a page.
const MAX_LIMIT: u32 = 1000;

/// How many items a page shall have.
pub(super) fn limit(asked: Option<u32>) -> ApiResult<u32> {
    match asked.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(limit),
        _ => Err(Problem::new(Code::InvalidRequest).detail("The limit is 1 to 1000").field(
            "/limit",
            "out_of_range",
            "1 to 1000",
        )),
    }
}

/// Where a page ended: below this id the next one begins.
#[derive(Debug, Serialize, Deserialize)]
struct Place {
    #[serde(rename = "i")]
    id: ObjectId,
}

/// Reads a cursor of the list that `name` stands for.
pub(super) fn before<T: From<ObjectId>>(
    service: &AuthService,
    name: &str,
    text: Option<&str>,
) -> ApiResult<Option<T>> {
    let Some(text) = text else { return Ok(None) };
    let place: Place = cursor::decode(&service.cursor_key, name, text)?;
    Ok(Some(place.id.into()))
}

/// The cursor of what follows after this id.
pub(super) fn after(service: &AuthService, name: &str, id: ObjectId) -> String {
    cursor::encode(&service.cursor_key, name, &Place { id })
}

/// The role of an account, in requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Role)]
pub(super) enum RoleChoice {
    /// Own files only.
    User,
    /// Administers the installation.
    Admin,
}

impl From<RoleChoice> for common::auth::Role {
    fn from(choice: RoleChoice) -> Self {
        match choice {
            RoleChoice::User => Self::User,
            RoleChoice::Admin => Self::Admin,
        }
    }
}

impl From<common::auth::Role> for RoleChoice {
    fn from(role: common::auth::Role) -> Self {
        match role {
            common::auth::Role::User => Self::User,
            common::auth::Role::Admin => Self::Admin,
        }
    }
}
