//! `/api/v1/starred`, `/api/v1/recents`, `/api/v1/tags` and `/api/v1/tagged`.

use actix_web::{HttpRequest, HttpResponse, get, web};
use common::files::{Action, Actor, Dated, Node, Tag};
use common::{Code, FileId, SpaceId, Timestamp, UserId};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, Problem, cursor, input};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::children::FileListView;
use super::params;
use super::view::{self, FileView};
use crate::app::access::{Sight, Target, authorize};
use crate::app::marks::{self, Found};
use crate::error::AppError;
use crate::state::FileService;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// Most items of the page, 1 to 1000; 100 if left out.
    limit: Option<u32>,
}

/// Where a page ended.
#[derive(Debug, Serialize, Deserialize)]
struct DatedPosition {
    #[serde(rename = "t")]
    at: Timestamp,
    #[serde(rename = "i")]
    id: FileId,
}

fn items(found: &[(Node, Sight)]) -> Vec<FileView> {
    found.iter().map(|(node, sight)| FileView::of(node, *sight)).collect()
}

/// Lists what the caller has starred, the latest star first. What is in the trash, or no longer open to the caller, is left out: a page may be shorter
/// than asked for, while `total` counts every star.
#[utoipa::path(
    operation_id = "listStarred",
    tag = "organising",
    params(PageQuery),
    responses(
        (status = 200, description = "A page of the list", body = FileListView),
        (status = 400, description = "`invalid_request`, `invalid_cursor`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/api/v1/starred")]
pub(super) async fn starred(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let user = params::whole(&caller)?;
    let query: PageQuery = input::query(&request)?;
    let (after, bound_to) = after(&service, "starred", user, query.cursor.as_deref())?;
    let found = marks::starred(&service, user, after, params::limit(query.limit)?).await?;
    let total = service.marks.count_starred(user).await?;
    Ok(HttpResponse::Ok().insert_header(view::PRIVATE).json(FileListView {
        items: items(&found.items),
        next_cursor: next(&service, &bound_to, &found),
        total,
    }))
}

fn after(
    service: &FileService,
    list: &str,
    user: UserId,
    text: Option<&str>,
) -> ApiResult<(Option<Dated>, String)> {
    let bound_to = format!("{list} {user}");
    let after = text
        .map(|text| cursor::decode::<DatedPosition>(&service.cursor_key, &bound_to, text))
        .transpose()?
        .map(|position| Dated { at: position.at, node: position.id });
    Ok((after, bound_to))
}

fn next(service: &FileService, bound_to: &str, found: &Found<Dated>) -> Option<String> {
    let Dated { at, node } = found.next?;
    Some(cursor::encode(&service.cursor_key, bound_to, &DatedPosition { at, id: node }))
}

/// A page of what the caller last worked on. Nobody counts how much there is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RecentList)]
pub(super) struct RecentsView {
    /// Latest first. What is in the trash, or no longer open to the caller, is left out, so a page may be shorter than asked for.
    items: Vec<FileView>,
    /// What to send as `cursor` for the next page; null on the last one.
    #[schema(required = true)]
    next_cursor: Option<String>,
}

/// Lists the files whose content the caller put there, the latest first: their own, and those of others that are shared with them.
#[utoipa::path(
    operation_id = "listRecents",
    tag = "organising",
    params(PageQuery),
    responses(
        (status = 200, description = "A page of the list", body = RecentsView),
        (status = 400, description = "`invalid_request`, `invalid_cursor`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/api/v1/recents")]
pub(super) async fn recents(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let user = params::whole(&caller)?;
    let query: PageQuery = input::query(&request)?;
    let (after, bound_to) = after(&service, "recents", user, query.cursor.as_deref())?;
    let found = marks::recent(&service, user, after, params::limit(query.limit)?).await?;
    Ok(HttpResponse::Ok()
        .insert_header(view::PRIVATE)
        .json(RecentsView { items: items(&found.items), next_cursor: next(&service, &bound_to, &found) }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TaggedQuery {
    /// The tag, in whatever case.
    tag: String,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// Most items of the page, 1 to 1000; 100 if left out.
    limit: Option<u32>,
}

/// Lists what among the caller's own files and folders has a tag, the newest first. What is in the trash is left out: a page may be shorter than asked
/// for, while `total` counts it in.
#[utoipa::path(
    operation_id = "listTagged",
    tag = "organising",
    params(TaggedQuery),
    responses(
        (status = 200, description = "A page of the list", body = FileListView),
        (status = 400, description = "`invalid_request`, `invalid_cursor`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/api/v1/tagged")]
pub(super) async fn tagged(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let user = params::whole(&caller)?;
    let query: TaggedQuery = input::query(&request)?;
    let tag = tag("?tag", &query.tag)?;
    let limit = params::limit(query.limit)?;
    let space = own_space(&service, user).await?;
    let bound_to = format!("tagged {space} {}", tag.folded());
    let after = query.cursor.as_deref();
    let after: Option<FileId> =
        after.map(|text| cursor::decode(&service.cursor_key, &bound_to, text)).transpose()?;
    let found = marks::tagged(&service, (user, space), &tag, after, limit).await?;
    let total = service.marks.count_tagged(space, &tag).await?;
    Ok(HttpResponse::Ok().insert_header(view::PRIVATE).json(FileListView {
        items: items(&found.items),
        next_cursor: found.next.map(|id| cursor::encode(&service.cursor_key, &bound_to, &id)),
        total,
    }))
}

async fn own_space(service: &FileService, user: UserId) -> Result<SpaceId, AppError> {
    Ok(authorize(service, Actor::User(user), Action::ReadMetadata, Target::Root).await?.space())
}

/// The tags among somebody's own files.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TagList)]
pub(super) struct TagsView {
    /// In the order of the alphabet, whatever the case; at most 10,000.
    items: Vec<TagView>,
}

/// A tag.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tag)]
struct TagView {
    /// As it is written, in one of the ways if there are several.
    tag: String,
    /// How many files and folders have it, those in the trash counted in.
    count: u64,
}

/// Lists the tags of the caller's own files and folders.
#[utoipa::path(
    operation_id = "listTags",
    tag = "organising",
    responses((status = 200, description = "The tags", body = TagsView)),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/api/v1/tags")]
pub(super) async fn tags(caller: Authenticated, service: web::Data<FileService>) -> ApiResult<HttpResponse> {
    let space = own_space(&service, params::whole(&caller)?).await?;
    let tags = marks::tags(&service, space).await?;
    let items =
        tags.into_iter().map(|found| TagView { tag: found.tag.as_str().to_owned(), count: found.nodes });
    Ok(HttpResponse::Ok().insert_header(view::PRIVATE).json(TagsView { items: items.collect() }))
}

/// Reads a tag.
///
/// # Errors
/// `invalid_request` with the rule that it breaks.
pub(super) fn tag(pointer: &str, text: &str) -> ApiResult<Tag> {
    Tag::parse(text).map_err(|error| {
        let detail = error.to_string();
        Problem::new(Code::InvalidRequest).detail(detail.clone()).field(pointer, "invalid_tag", detail)
    })
}

/// Reads the tags of a body.
///
/// # Errors
/// As [`tag`].
pub(super) fn tags_at(pointer: &str, texts: &[String]) -> ApiResult<Vec<Tag>> {
    texts.iter().enumerate().map(|(at, text)| tag(&format!("{pointer}/{at}"), text)).collect()
}
