//! The classic API at the root, over the same use cases as v1. Its contract is `docs/classic-api.md`: messages are compared word by word
//! by its clients, and a file object has six keys and no other.
//!
//! The classic world has no object for a root folder, which is the number 0, and no trash: what is there is not found here.

mod base64;
mod body;
mod data;
mod files;
mod mime;
mod object;
mod overview;
mod upload;

use actix_web::HttpRequest;
use common::files::{Action, Actor};
use common::{Code, FileId};
use http_kit::{ClassicError, ClassicResult, Problem};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::access::{Authorized, authorize};
use crate::error::AppError;
use crate::state::FileService;

/// Registers the façade.
pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(overview::status)
        .service(overview::stats)
        .service(upload::create)
        .service(files::list)
        .service(files::show)
        .service(files::remove)
        .service(files::publish)
        .service(files::unpublish)
        .service(data::show)
        .service(data::describe);
}

/// A failure: the message alone.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClassicFailure)]
#[allow(dead_code, reason = "stands for the error answer in the document alone")]
struct Failure {
    /// What is wrong.
    #[schema(example = "Not found")]
    error: String,
}

impl From<AppError> for ClassicError {
    fn from(error: AppError) -> Self {
        match (error.code(), error) {
            (Code::ParentNotFound, _) => Self::bad_request("Parent not found"),
            (Code::ParentNotFolder, _) => Self::bad_request("Parent is not a folder"),
            (Code::InvalidName, _) => Self::bad_request("Invalid name"),
            (_, AppError::Port(error)) => error.into(),
            (_, error) => Problem::from(error).into(),
        }
    }
}

/// The node that the path means, if it has an object here. A malformed id is an unknown one.
async fn node(
    service: &FileService,
    actor: Actor,
    action: Action,
    request: &HttpRequest,
) -> ClassicResult<Authorized> {
    let id = request.match_info().get("id").and_then(|text| FileId::parse(text).ok());
    let node = authorize(service, actor, action, id.ok_or_else(ClassicError::not_found)?).await?.live()?;
    if node.node().is_root() { Err(ClassicError::not_found()) } else { Ok(node) }
}
