//! `/api/v1/operations`: what somebody did, how it stands, and undoing it.

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use common::files::{CopyOperation, CopyState, Operation, Part};
use common::{FileId, OperationId, Timestamp};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, cursor, input};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::batch::ResultView;
use super::{params, view};
use crate::app::journal::{self, Entry};
use crate::state::FileService;

/// Tells the operation that undoes what a call did, where that can be undone.
const OPERATION_ID: HeaderName = HeaderName::from_static("operation-id");

/// The answer of a call that changed something, with the operation that it was.
pub(super) fn told(mut answer: HttpResponse, operation: Option<OperationId>) -> HttpResponse {
    if let Some(id) = operation {
        let value = HeaderValue::from_str(&id.to_string()).expect("an id is hexadecimal digits");
        answer.headers_mut().insert(OPERATION_ID, value);
    }
    answer
}

/// What somebody did: changes that can be undone, or the copy of a folder, which may go on after its request was answered.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Operation)]
pub(super) struct OperationView {
    /// Its id.
    #[schema(value_type = String)]
    id: OperationId,
    /// What it does, or did. Changes of several kinds are a `batch`.
    #[serde(rename = "type")]
    #[schema(value_type = OperationTypeName)]
    kind: &'static str,
    /// How it stands. Changes are done.
    #[schema(value_type = OperationStateName)]
    state: &'static str,
    /// Why it failed: an error code; null unless it did.
    #[schema(required = true)]
    code: Option<&'static str>,
    /// What is copied; null for changes.
    #[schema(required = true, value_type = Option<String>)]
    source_id: Option<FileId>,
    /// The copy, which grows while the operation runs: if that fails, it is in the trash. Or the file or folder that was changed; null if there are several.
    #[schema(required = true, value_type = Option<String>)]
    file_id: Option<FileId>,
    /// Files and folders that were copied.
    copied: u64,
    /// Bytes of those files.
    copied_bytes: u64,
    /// How many changes it made.
    changes: u64,
    /// How many of them are undone.
    undone: u64,
    /// Some of it can be undone, if nothing else has changed since.
    undoable: bool,
    /// The operation that this one undid, or some of it.
    #[schema(required = true, value_type = Option<String>)]
    undoes: Option<OperationId>,
    /// When it began. What was put into the original of a copy after that is not copied.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it ended; null while it runs.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// The changes one by one, in the order in which they were asked for; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<Vec<PartView>>,
}

#[derive(ToSchema)]
#[schema(as = OperationType, rename_all = "lowercase")]
#[allow(dead_code, reason = "stands for words in the document alone")]
enum OperationTypeName {
    Copy,
    Rename,
    Move,
    Tag,
    Star,
    Trash,
    Restore,
    Batch,
}

#[derive(ToSchema)]
#[schema(as = OperationState, rename_all = "lowercase")]
#[allow(dead_code, reason = "stands for common's type in the document alone")]
enum OperationStateName {
    Running,
    Done,
    Failed,
}

/// One change.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OperationPart)]
struct PartView {
    /// The file or folder.
    #[schema(value_type = String)]
    file_id: FileId,
    /// What was done to it.
    #[serde(rename = "type")]
    #[schema(value_type = OperationTypeName)]
    kind: &'static str,
    /// It is undone.
    undone: bool,
}

impl OperationView {
    pub(super) fn of_copy(copy: &CopyOperation) -> Self {
        Self {
            id: copy.id,
            kind: "copy",
            state: copy.state.word(),
            code: copy.state.reason(),
            source_id: Some(copy.source),
            file_id: Some(copy.root),
            copied: copy.nodes,
            copied_bytes: copy.bytes,
            changes: 0,
            undone: 0,
            undoable: false,
            undoes: None,
            created_at: copy.at,
            ended_at: copy.ended_at,
            parts: None,
        }
    }

    fn of_changes(operation: &Operation) -> Self {
        Self {
            id: operation.id,
            kind: operation.kind.map_or("batch", |kind| kind.word()),
            state: CopyState::Done.word(),
            code: None,
            source_id: None,
            file_id: (operation.parts == 1).then_some(operation.node),
            copied: 0,
            copied_bytes: 0,
            changes: operation.parts,
            undone: operation.undone,
            undoable: operation.undone < operation.parts,
            undoes: operation.undoes,
            created_at: operation.at,
            ended_at: Some(operation.at),
            parts: None,
        }
    }

    fn of(entry: &Entry) -> Self {
        match entry {
            Entry::Copy(copy) => Self::of_copy(copy),
            Entry::Changes(operation) => Self::of_changes(operation),
        }
    }

    fn with(self, parts: &[Part]) -> Self {
        let parts = parts.iter().map(|part| PartView {
            file_id: part.node,
            kind: part.change.kind.word(),
            undone: part.undone_by.is_some(),
        });
        Self { parts: Some(parts.collect()), ..self }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OperationsQuery {
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// Most items of the page, 1 to 1000; 100 if left out.
    limit: Option<u32>,
}

/// A page of what the caller did. Nobody counts how much there is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OperationList)]
pub(super) struct OperationsView {
    /// Newest first.
    items: Vec<OperationView>,
    /// What to send as `cursor` for the next page; null on the last one.
    #[schema(required = true)]
    next_cursor: Option<String>,
}

/// Lists what the caller did, the latest first: renames, moves, tags, stars, what they put into the trash and brought back, batches of these, and copies of
/// folders. It is kept for a month, unless the settings say otherwise.
#[utoipa::path(
    operation_id = "listOperations",
    tag = "organising",
    params(OperationsQuery),
    responses(
        (status = 200, description = "A page of the list", body = OperationsView),
        (status = 400, description = "`invalid_request`, `invalid_cursor`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/api/v1/operations")]
pub(super) async fn list(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let query: OperationsQuery = input::query(&request)?;
    let actor = params::actor(&caller);
    let bound_to = format!("operations {actor:?}");
    let before: Option<OperationId> = query
        .cursor
        .as_deref()
        .map(|text| cursor::decode(&service.cursor_key, &bound_to, text))
        .transpose()?;
    let (entries, more) = journal::list(&service, actor, before, params::limit(query.limit)?).await?;
    let last = entries.last().filter(|_| more).map(Entry::id);
    Ok(HttpResponse::Ok().insert_header(view::PRIVATE).json(OperationsView {
        items: entries.iter().map(OperationView::of).collect(),
        next_cursor: last.map(|id| cursor::encode(&service.cursor_key, &bound_to, &id)),
    }))
}

/// Shows what an operation did, or how the copy of a folder stands, to who began it.
#[utoipa::path(
    operation_id = "getOperation",
    tag = "organising",
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "The operation", body = OperationView),
        (status = 404, description = "`not_found`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/api/v1/operations/{id}")]
pub(super) async fn show(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let id = input::path_id(&request, "id")?;
    let entry = journal::find(&service, params::actor(&caller), id).await?;
    let mut shown = OperationView::of(&entry);
    if let Entry::Changes(_) = entry {
        shown = shown.with(&service.journal.list_parts(id).await?);
    }
    Ok(HttpResponse::Ok().insert_header(view::PRIVATE).json(shown))
}

/// What came of undoing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Undone)]
pub(super) struct UndoneView {
    /// The undoing, which is an operation itself: to undo it is to do it all again. Null if nothing could be undone.
    #[schema(required = true)]
    operation: Option<OperationView>,
    /// One for each change, the last one first. What is in the trash now has no `file`.
    results: Vec<ResultView>,
}

/// Undoes an operation: each of its changes that nothing else has changed since, the last one first, with the rights that the caller has today. A change that
/// cannot be undone does not stop the others; an operation of one change is undone, or ends in the reason.
#[utoipa::path(
    operation_id = "undoOperation",
    tag = "organising",
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "A result for each change, also if some or all of several could not be undone", body = UndoneView, headers(("Operation-Id" = String))),
        (status = 403, description = "`forbidden`", body = ProblemDocument),
        (status = 404, description = "`not_found`; `parent_not_found`: the folder that it was in is gone, or in the trash", body = ProblemDocument),
        (status = 409, description = "`changed_since` (with `fileId`): it has changed since, or was undone already; `name_taken` (with `existingId`); `would_make_cycle`, `too_deep`; `not_undoable` for a copy", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[post("/api/v1/operations/{id}/undo")]
pub(super) async fn undo(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let id = input::path_id(&request, "id")?;
    let actor = params::actor(&caller);
    let undone = journal::undo(&service, actor, id).await?;
    let operation = match undone.operation {
        Some(id) => Some(OperationView::of(&journal::find(&service, actor, id).await?)),
        None => None,
    };
    let results = undone.results.into_iter().map(|(file, result)| ResultView::of_undone(file, result));
    let body = UndoneView { operation, results: results.collect() };
    let answer = HttpResponse::Ok().insert_header(view::PRIVATE).json(body);
    Ok(told(answer, undone.operation))
}
