//! What the calls about files read from requests in the same way.

use actix_web::HttpRequest;
use common::auth::{Principal, Scope};
use common::files::Actor;
use common::{Code, FileId, Timestamp, UserId};
use http_kit::input;
use http_kit::{ApiResult, Problem, Standing};

use crate::app::access::Target;
use crate::app::watch::Pass;

/// How many items a page of a list has where the request does not say.
const DEFAULT_LIMIT: u32 = 100;
/// Most items of a page.
const MAX_LIMIT: u32 = 1000;

/// The word that stands for the caller's root folder.
pub(crate) const ROOT: &str = "root";

/// Who asks.
pub(crate) fn actor(caller: &Principal) -> Actor {
    match caller.folder {
        Some(folder) => Actor::UserWithin { user: caller.user, folder },
        None => Actor::User(caller.user),
    }
}

/// What a caller was let in by, which is looked at again while what they began goes on.
pub(crate) fn pass(request: &HttpRequest, caller: &Principal) -> Pass {
    Standing::of(request, caller).map_or(Pass::Account(caller.user), Pass::of)
}

/// Who asks, where the question goes beyond one folder.
///
/// # Errors
/// `not_found` to a credential with one folder, to which there is nothing else.
pub(crate) fn whole(caller: &Principal) -> ApiResult<UserId> {
    if caller.folder.is_some() { Err(Code::NotFound.into()) } else { Ok(caller.user) }
}

/// Whether the credential may itself do what it lets others do: what it gives away outlives it, and must not be more than it has.
///
/// # Errors
/// `insufficient_scope`.
pub(crate) fn gives_what_it_has(caller: &Principal, reads: bool, writes: bool) -> ApiResult<()> {
    let lacks = |wanted, scope| wanted && !caller.scopes.contains(scope);
    if lacks(reads, Scope::FilesRead) || lacks(writes, Scope::FilesWrite) {
        return Err(Code::InsufficientScope.into());
    }
    Ok(())
}

/// Whether what the credential opens to others until `end` ends with it at the latest. None is for what has no end. A session is no such credential: whoever
/// signs in gives what is theirs.
///
/// # Errors
/// `forbidden`.
pub(crate) fn ends_with_it(caller: &Principal, end: Option<Timestamp>) -> ApiResult<()> {
    let Some(own) = caller.expires_at else { return Ok(()) };
    if end.is_some_and(|end| end <= own) {
        return Ok(());
    }
    let detail =
        format!("The token ends at {own}; it opens nothing to others for longer, and nothing without an end");
    Err(Problem::new(Code::Forbidden).detail(detail))
}

/// The node that the segment `name` of the path means: an id, or the word `root`.
///
/// # Errors
/// `not_found` for what is neither.
pub(crate) fn target(request: &HttpRequest, name: &str) -> ApiResult<Target> {
    match request.match_info().get(name) {
        Some(ROOT) => Ok(Target::Root),
        _ => input::path_id::<FileId>(request, name).map(Target::Node),
    }
}

/// The folder that the segment `name` of the path means, for something to go into.
///
/// # Errors
/// `parent_not_found` for what is neither an id nor the word `root`.
pub(crate) fn parent_in_path(request: &HttpRequest, name: &str) -> ApiResult<Target> {
    target(request, name).map_err(|_| Problem::new(Code::ParentNotFound))
}

/// The folder that a body names for something to go into; the root if it names none.
///
/// # Errors
/// `parent_not_found` for what is no id.
pub(crate) fn parent(text: Option<&str>) -> ApiResult<Target> {
    match text {
        None | Some(ROOT) => Ok(Target::Root),
        Some(text) => FileId::parse(text).map(Target::Node).map_err(|_| Problem::new(Code::ParentNotFound)),
    }
}

/// The length of a page.
///
/// # Errors
/// `invalid_request` outside 1 to 1000.
pub(crate) fn limit(asked: Option<u32>) -> ApiResult<u32> {
    match asked {
        None => Ok(DEFAULT_LIMIT),
        Some(limit @ 1..=MAX_LIMIT) => Ok(limit),
        Some(_) => {
            let detail = "A page has 1 to 1000 items";
            Err(Problem::new(Code::InvalidRequest).detail(detail).field("?limit", "out_of_range", detail))
        }
    }
}
