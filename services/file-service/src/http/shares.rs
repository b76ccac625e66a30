//! `/api/v1/files/{id}/shares` and `/api/v1/shares`: rights that people were given.

use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, web};
use common::auth::{Address, Principal};
use common::files::{Action, Actor, Grantee, NodePath, Share, ShareRole, SharesOf};
use common::{Code, FileId, GroupId, ShareId, Timestamp, UserId};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, Problem, cursor, input};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::params;
use super::view::{self, FileView};
use crate::app::access::{Sight, authorize};
use crate::app::marks;
use crate::app::sharing::shares::{self, Receiver};
use crate::app::sharing::{Names, names, paths};
use crate::error::AppError;
use crate::state::FileService;

/// Largest JSON body.
const BODY_BYTES: usize = 4 * 1024;

/// A right that somebody was given.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Share)]
pub(super) struct ShareView {
    /// Its id.
    #[schema(value_type = String)]
    id: ShareId,
    /// The file or folder that it was given for, and with it all that is inside.
    #[schema(value_type = String)]
    file_id: FileId,
    /// Whom it is for.
    grantee: GranteeView,
    /// What they may do: `viewer` looks and reads; `editor` creates, changes and trashes what is inside; `manager` shares, too.
    #[schema(value_type = ShareRoleName)]
    role: ShareRole,
    /// Who gave it.
    given_by: PersonView,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// Whom a right is for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Grantee)]
pub(super) struct GranteeView {
    /// Which of the two it is.
    #[serde(rename = "type")]
    #[schema(value_type = GranteeTypeName)]
    kind: &'static str,
    /// The id of the account or the group.
    id: String,
    /// The address of the account; null for a group, for an account that is gone, and where nobody can say now.
    #[schema(required = true)]
    address: Option<String>,
    /// The name of the group; null for an account, for a group that is gone, and where nobody can say now.
    #[schema(required = true)]
    name: Option<String>,
}

/// An account as others see it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Giver)]
pub(super) struct PersonView {
    /// Its id.
    #[schema(value_type = String)]
    id: UserId,
    /// Its address; null for one that is gone, and where nobody can say now.
    #[schema(required = true)]
    address: Option<String>,
}

#[derive(ToSchema)]
#[schema(as = ShareRole, rename_all = "lowercase")]
#[allow(dead_code, reason = "stands for common's type in the document alone")]
enum ShareRoleName {
    Viewer,
    Editor,
    Manager,
}

#[derive(ToSchema)]
#[schema(as = GranteeType, rename_all = "lowercase")]
#[allow(dead_code, reason = "stands for a word in the document alone")]
enum GranteeTypeName {
    User,
    Group,
}

impl PersonView {
    pub(super) fn of(id: UserId, names: &Names) -> Self {
        Self { id, address: names.people.get(&id).cloned() }
    }
}

impl GranteeView {
    pub(super) fn of(grantee: Grantee, names: &Names) -> Self {
        match grantee {
            Grantee::User(id) => {
                let address = names.people.get(&id).cloned();
                Self { kind: "user", id: id.to_string(), address, name: None }
            }
            Grantee::Group(id) => {
                let name = names.groups.get(&id).cloned();
                Self { kind: "group", id: id.to_string(), address: None, name }
            }
        }
    }
}

impl ShareView {
    fn of(share: &Share, names: &Names) -> Self {
        Self {
            id: share.id,
            file_id: share.node,
            grantee: GranteeView::of(share.grantee, names),
            role: share.role,
            given_by: PersonView::of(share.by, names),
            created_at: share.at,
        }
    }
}

/// The rights to one file or folder.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FileShares)]
pub(super) struct FileSharesView {
    /// Newest first. Rights to a folder above it are not in here.
    items: Vec<ShareView>,
}

/// Most shares of one file that are listed.
const MAX_OF_FILE: u32 = 10_000;

/// Lists who was given rights to a file or folder. For those who may share it.
#[utoipa::path(
    operation_id = "listFileShares",
    tag = "sharing",
    params(("id" = String, Path, description = "The id of the file or folder")),
    responses(
        (status = 200, description = "The rights", body = FileSharesView),
        (status = 403, description = "`forbidden`", body = ProblemDocument),
        (status = 404, description = "`not_found`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/{id}/shares")]
pub(super) async fn list(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let target = params::target(&request, "id")?;
    let node = authorize(&service, params::actor(&caller), Action::Share, target).await?;
    let found = service.shares.list_shares(&SharesOf::Node(node.id()), None, MAX_OF_FILE).await?;
    let names = names(&service, &found, []).await;
    let items = found.iter().map(|share| ShareView::of(share, &names)).collect();
    Ok(HttpResponse::Ok().insert_header(view::PRIVATE).json(FileSharesView { items }))
}

/// Whom to give which right: one of `userId`, `address` and `groupId`.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = CreateShare)]
pub(super) struct GiveBody {
    /// What they may do.
    #[schema(value_type = ShareRoleName)]
    role: ShareRole,
    /// The id of an account.
    user_id: Option<String>,
    /// The address of an account.
    address: Option<String>,
    /// The id of a group.
    group_id: Option<String>,
}

fn receiver(body: &GiveBody) -> ApiResult<Receiver> {
    let unknown = |pointer: &str| {
        Problem::new(Code::UnknownPerson).field(pointer, "unknown", Code::UnknownPerson.title())
    };
    match (&body.user_id, &body.address, &body.group_id) {
        (Some(id), None, None) => UserId::parse(id).map(Receiver::User).map_err(|_| unknown("/userId")),
        (None, Some(address), None) => {
            Address::parse(address).map(Receiver::Address).map_err(|_| unknown("/address"))
        }
        (None, None, Some(id)) => GroupId::parse(id).map(Receiver::Group).map_err(|_| unknown("/groupId")),
        (None, None, None) => {
            let detail = "Say whom it is for: userId, address or groupId";
            Err(Problem::new(Code::InvalidRequest).detail(detail).field("/userId", "missing", detail))
        }
        _ => {
            let detail = "Give one of userId, address and groupId";
            Err(Problem::new(Code::InvalidRequest).detail(detail).field("/userId", "ambiguous", detail))
        }
    }
}

/// Gives somebody a right to a file or folder and all that is inside. Who has one already gets the new role instead.
#[utoipa::path(
    operation_id = "createShare",
    tag = "sharing",
    params(("id" = String, Path, description = "The id of the file or folder")),
    request_body = GiveBody,
    responses(
        (status = 201, description = "The new right", body = ShareView),
        (status = 200, description = "The right that they had, with this role", body = ShareView),
        (status = 400, description = "`invalid_request`, `invalid_json`", body = ProblemDocument),
        (status = 403, description = "`forbidden`, also by a token that ends; `insufficient_scope`", body = ProblemDocument),
        (status = 404, description = "`not_found`", body = ProblemDocument),
        (status = 422, description = "`unknown_person`: no such account, or no group that the caller is in; `unprocessable` for the owner, and for a root folder", body = ProblemDocument),
        (status = 429, description = "`rate_limited`: too many addresses were looked up", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[post("/{id}/shares")]
pub(super) async fn give(
    caller: Authenticated,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let target = params::target(&request, "id")?;
    let node = authorize(&service, params::actor(&caller), Action::Share, target).await?;
    let body: GiveBody = input::json(&request, payload, BODY_BYTES).await?;
    may_give(&caller, body.role)?;
    let (share, made) = shares::give(&service, &node, &receiver(&body)?, body.role).await?;
    let names = names(&service, [&share], []).await;
    let mut answer = if made { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(answer.insert_header(view::PRIVATE).json(ShareView::of(&share, &names)))
}

fn may_give(caller: &Principal, role: ShareRole) -> ApiResult<()> {
    params::gives_what_it_has(caller, true, role >= ShareRole::Editor)?;
    // a right has no end of its own
    params::ends_with_it(caller, None)
}

/// What shall be different.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = UpdateShare)]
pub(super) struct ChangeBody {
    /// What they may do from now on.
    #[schema(value_type = ShareRoleName)]
    role: ShareRole,
}

/// Gives a right another role. For those who may share the file.
#[utoipa::path(
    operation_id = "updateShare",
    tag = "sharing",
    params(("id" = String, Path, description = "The id of the right")),
    request_body = ChangeBody,
    responses(
        (status = 200, description = "The right as it is now", body = ShareView),
        (status = 400, description = "`invalid_request`, `invalid_json`", body = ProblemDocument),
        (status = 403, description = "`forbidden`: it is the caller's own, or a token that ends asks; `insufficient_scope`", body = ProblemDocument),
        (status = 404, description = "`not_found`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[patch("/api/v1/shares/{id}")]
pub(super) async fn change(
    caller: Authenticated,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let id = input::path_id(&request, "id")?;
    shares::manage(&service, params::whole(&caller)?, id, false).await?;
    let body: ChangeBody = input::json(&request, payload, BODY_BYTES).await?;
    may_give(&caller, body.role)?;
    let share = shares::change(&service, caller.user, id, body.role).await?;
    let names = names(&service, [&share], []).await;
    Ok(HttpResponse::Ok().insert_header(view::PRIVATE).json(ShareView::of(&share, &names)))
}

/// Ends a right, at once. For those who may share the file, and for whose right it is.
#[utoipa::path(
    operation_id = "deleteShare",
    tag = "sharing",
    params(("id" = String, Path, description = "The id of the right")),
    responses(
        (status = 204, description = "It has ended"),
        (status = 404, description = "`not_found`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[delete("/api/v1/shares/{id}")]
pub(super) async fn remove(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    shares::end(&service, params::whole(&caller)?, input::path_id(&request, "id")?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A right, and the file or folder that it was given for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SharedFile)]
pub(super) struct SharedFileView {
    /// The right.
    share: ShareView,
    /// The file or folder, as the caller sees it.
    file: FileView,
}

/// A page of a list of rights.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ShareList)]
pub(super) struct ShareListView {
    /// Newest first. What is in the trash is left out, so a page may be shorter than asked for.
    items: Vec<SharedFileView>,
    /// What to send as `cursor` for the next page; null on the last one.
    #[schema(required = true)]
    next_cursor: Option<String>,
    /// How many there are in all, those of what is in the trash counted.
    total: u64,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// `nextCursor` of the page before.
    pub(super) cursor: Option<String>,
    /// Most items of the page, 1 to 1000; 100 if left out.
    pub(super) limit: Option<u32>,
}

/// Lists what others gave the caller.
#[utoipa::path(
    operation_id = "listSharedWithMe",
    tag = "sharing",
    params(PageQuery),
    responses(
        (status = 200, description = "A page of the list", body = ShareListView),
        (status = 400, description = "`invalid_request`, `invalid_cursor`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/api/v1/shares/with-me")]
pub(super) async fn with_me(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    page(&caller, &request, &service, "with-me", &shares::with(&service, params::whole(&caller)?).await?)
        .await
}

/// Lists what the caller gave others, and what others gave of the caller's files.
#[utoipa::path(
    operation_id = "listSharedByMe",
    tag = "sharing",
    params(PageQuery),
    responses(
        (status = 200, description = "A page of the list", body = ShareListView),
        (status = 400, description = "`invalid_request`, `invalid_cursor`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/api/v1/shares/by-me")]
pub(super) async fn by_me(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let of = shares::by(&service, params::whole(&caller)?).await?;
    page(&caller, &request, &service, "by-me", &of).await
}

async fn page(
    caller: &Authenticated,
    request: &HttpRequest,
    service: &FileService,
    which: &str,
    of: &SharesOf,
) -> ApiResult<HttpResponse> {
    let query: PageQuery = input::query(request)?;
    let limit = params::limit(query.limit)?;
    let bound_to = format!("shares {which} {}", caller.user);
    let after: Option<ShareId> =
        query.cursor.map(|text| cursor::decode(&service.cursor_key, &bound_to, &text)).transpose()?;
    let mut found = service.shares.list_shares(of, after, limit + 1).await?;
    let total = service.shares.count_shares(of).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next_cursor =
        found.last().filter(|_| more).map(|share| cursor::encode(&service.cursor_key, &bound_to, &share.id));
    let nodes = paths(service, found.iter().map(|share| share.node)).await?;
    let names = names(service, &found, []).await;
    let mut items = Vec::with_capacity(found.len());
    for (share, path) in found.iter().zip(nodes) {
        let Some(path) = path.filter(|path| !path.in_trash()) else { continue };
        if let Some(sight) = sight(service, caller, share, &path).await? {
            let sight = marks::seen(service, params::actor(caller), &path.node, sight).await?;
            let file = FileView::of(&path.node, sight);
            items.push(SharedFileView { share: ShareView::of(share, &names), file });
        }
    }
    Ok(HttpResponse::Ok().insert_header(view::PRIVATE).json(ShareListView { items, next_cursor, total }))
}

/// How what was shared looks to the caller; none if it does not any more. A right that was given says itself what it lets do, as far as that goes.
async fn sight(
    service: &FileService,
    caller: &Authenticated,
    share: &Share,
    path: &NodePath,
) -> Result<Option<Sight>, AppError> {
    if path.node.owner == caller.user {
        return Ok(Some(Sight::OWNER));
    }
    match authorize(service, Actor::User(caller.user), Action::ReadMetadata, share.node).await {
        Ok(node) => Ok(Some(node.sight())),
        Err(error) if error.code() == Code::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
