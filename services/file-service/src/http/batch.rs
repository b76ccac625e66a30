//! `/api/v1/files/batch`: many changes in one request.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, post, web};
use common::files::{Node, NodeName, Tag};
use common::{Code, FileId};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, Problem, input};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::content::OnConflictWord;
use super::operations::{self, OperationView};
use super::params;
use super::view::{self, FileView};
use crate::app::access::{Sight, Target};
use crate::app::batch::{self, Act, Change, Done, MAX_CHANGES};
use crate::app::marks::TagChange;
use crate::app::relocate::Relocation;
use crate::error::AppError;
use crate::state::FileService;

/// Largest JSON body: a thousand changes with long names and tags.
const BODY_BYTES: usize = 4 * 1024 * 1024;

/// Changes of many files and folders.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Batch)]
pub(super) struct BatchBody {
    /// At most 1,000. Each is read by itself, so that one which cannot be read does not stop the others.
    #[schema(value_type = Vec<BatchItem>, max_items = 1000)]
    operations: Vec<Value>,
}

/// One change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "op", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
enum BatchItem {
    /// Renames, moves, or both.
    Move {
        id: String,
        name: Option<String>,
        // named here too: the document knows nothing of `rename_all_fields`
        #[serde(rename = "parentId")]
        parent_id: Option<String>,
    },
    /// Copies; a folder by an operation that goes on after the answer.
    Copy {
        id: String,
        #[serde(rename = "parentId")]
        parent_id: Option<String>,
        name: Option<String>,
        #[serde(rename = "onConflict")]
        on_conflict: Option<OnConflictWord>,
    },
    /// Puts into the trash.
    Trash { id: String },
    /// Brings back from the trash.
    Restore { id: String },
    /// Deletes for good.
    Delete { id: String },
    /// Sets the caller's star, or takes it off.
    Star { id: String, starred: bool },
    /// Gives these tags in place of those that were there, or adds some and removes others.
    Tag { id: String, tags: Option<Vec<String>>, add: Option<Vec<String>>, remove: Option<Vec<String>> },
}

/// What came of the changes, or of the files.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BatchResults)]
pub(super) struct BatchView {
    /// One for each, in their order.
    pub(super) results: Vec<ResultView>,
}

/// What came of one change, or of one file.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BatchResult)]
pub(super) struct ResultView {
    /// When something is undone: which file or folder this is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    file_id: Option<FileId>,
    /// The status that the call for this one alone would have had.
    status: u16,
    /// The error code; null if it was made.
    #[schema(required = true)]
    code: Option<&'static str>,
    /// The error in a sentence; null if it was made.
    #[schema(required = true)]
    detail: Option<String>,
    /// With `name_taken`: what has the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    existing_id: Option<FileId>,
    /// The file or folder as it is now; null where it is gone, or grows.
    #[schema(required = true)]
    file: Option<FileView>,
    /// The operation that goes on with the copy of a folder.
    #[schema(required = true)]
    operation: Option<OperationView>,
}

impl ResultView {
    pub(super) fn of(result: Result<Done, AppError>) -> Self {
        let status = |status: StatusCode| Self { status: status.as_u16(), ..Self::default() };
        match result {
            Ok(Done::Node(seen, created)) => {
                let (node, sight) = &*seen;
                let made = if created { StatusCode::CREATED } else { StatusCode::OK };
                Self { file: Some(FileView::of(node, *sight)), ..status(made) }
            }
            Ok(Done::Running(operation)) => {
                Self { operation: Some(OperationView::of_copy(&operation)), ..status(StatusCode::ACCEPTED) }
            }
            Ok(Done::Gone) => status(StatusCode::NO_CONTENT),
            Err(error) => Self::refused(&error),
        }
    }

    /// What came of undoing a change.
    pub(super) fn of_undone(id: FileId, result: Result<Option<Box<(Node, Sight)>>, AppError>) -> Self {
        let result = match result {
            Ok(Some(seen)) => Self::of(Ok(Done::Node(seen, false))),
            Ok(None) => Self { status: StatusCode::OK.as_u16(), ..Self::default() },
            Err(error) => Self::refused(&error),
        };
        Self { file_id: Some(id), ..result }
    }

    fn refused(error: &AppError) -> Self {
        let code = error.code();
        let (detail, existing_id) = match error {
            AppError::Refused { detail: Some(detail), .. } => (detail.to_string(), None),
            AppError::NameTaken { existing } => (code.title().to_owned(), Some(*existing)),
            _ => (code.title().to_owned(), None),
        };
        if let AppError::Port(cause) = error {
            tracing::warn!(cause = %common::Causes(cause), "one of a batch failed");
        }
        Self {
            status: code.status(),
            code: Some(code.word()),
            detail: Some(detail),
            existing_id,
            ..Self::default()
        }
    }
}

/// Makes up to 1,000 changes: moves, copies, trashings, restores, deletions, stars and tags. Each succeeds or fails by itself. Changes of one kind that
/// follow one another are made at the same time; those of another kind, and another one of the same file, after them. What can be undone of all this is one
/// operation, which `Operation-Id` names.
#[utoipa::path(
    operation_id = "changeFiles",
    tag = "organising",
    request_body = BatchBody,
    responses(
        (status = 200, description = "A result for each, also if some or all of them failed", body = BatchView, headers(("Operation-Id" = String))),
        (status = 400, description = "`invalid_request`, `invalid_json`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[post("/batch")]
pub(super) async fn change(
    caller: Authenticated,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let body: BatchBody = input::json(&request, payload, BODY_BYTES).await?;
    if body.operations.len() > MAX_CHANGES {
        let detail = format!("At most {MAX_CHANGES} changes at once");
        let problem = Problem::new(Code::InvalidRequest).detail(detail.clone());
        return Err(problem.field("/operations", "too_many", detail));
    }
    let changes = body.operations.into_iter().map(read).collect();
    let (results, operation) = batch::run(&service.into_inner(), params::actor(&caller), changes).await?;
    let results = results.into_iter().map(ResultView::of).collect();
    let answer = HttpResponse::Ok().insert_header(view::PRIVATE).json(BatchView { results });
    Ok(operations::told(answer, operation))
}

fn read(item: Value) -> Result<Change, AppError> {
    let item: BatchItem = serde_json::from_value(item)
        .map_err(|error| AppError::because(Code::InvalidRequest, error.to_string()))?;
    let (id, act) = match item {
        BatchItem::Move { id, name, parent_id } => {
            let parent = parent_id.as_deref().map(|parent| target(Some(parent))).transpose()?;
            (id, Act::Move(Relocation { name: name.as_deref().map(NodeName::parse).transpose()?, parent }))
        }
        BatchItem::Copy { id, parent_id, name, on_conflict } => {
            let act = Act::Copy {
                parent: target(parent_id.as_deref())?,
                name: name.as_deref().map(NodeName::parse).transpose()?,
                on_conflict: on_conflict.unwrap_or_default().into(),
            };
            (id, act)
        }
        BatchItem::Trash { id } => (id, Act::Trash),
        BatchItem::Restore { id } => (id, Act::Restore),
        BatchItem::Delete { id } => (id, Act::Delete),
        BatchItem::Star { id, starred } => (id, Act::Star(starred)),
        BatchItem::Tag { id, tags: Some(set), add: None, remove: None } => {
            (id, Act::Tag(TagChange::Set(tags(&set)?)))
        }
        BatchItem::Tag { id, tags: None, add, remove } if add.is_some() || remove.is_some() => {
            let (add, remove) = (tags(&add.unwrap_or_default())?, tags(&remove.unwrap_or_default())?);
            (id, Act::Tag(TagChange::Edit { add, remove }))
        }
        BatchItem::Tag { .. } => {
            let detail = "Give tags, or what to add and remove";
            return Err(AppError::because(Code::InvalidRequest, detail));
        }
    };
    let id = FileId::parse(&id).map_err(|_| AppError::refused(Code::NotFound))?;
    Ok(Change { id, act })
}

fn target(text: Option<&str>) -> Result<Target, AppError> {
    match text {
        None | Some(params::ROOT) => Ok(Target::Root),
        Some(text) => match FileId::parse(text) {
            Ok(id) => Ok(Target::Node(id)),
            Err(_) => Err(AppError::refused(Code::ParentNotFound)),
        },
    }
}

fn tags(texts: &[String]) -> Result<Vec<Tag>, AppError> {
    let tags = texts.iter().map(|text| Tag::parse(text)).collect::<Result<_, _>>();
    tags.map_err(|error| AppError::because(Code::InvalidRequest, error.to_string()))
}
