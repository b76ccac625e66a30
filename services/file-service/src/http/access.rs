//! `/api/v1/access`: everything that opens the caller's files, in one place.

use actix_web::{HttpRequest, HttpResponse, delete, get, web};
use common::auth::{EndedBy, OwnCredential, Scope, Scopes};
use common::files::{Kind, NodePath, ShareRole};
use common::{Code, FileId, LinkId, ObjectId, Timestamp, UserId};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, Problem, client_ip, cursor, input};
use serde::Serialize;
use utoipa::ToSchema;

use super::shares::{GranteeView, PageQuery, PersonView};
use super::view::FileType;
use super::{params, view};
use crate::app::sharing::overview::{self, Asked, Opening, OpeningKind, Place};
use crate::app::sharing::{Names, names, own_root, paths};
use crate::state::FileService;

/// One thing that opens a file or folder: to others, or to the caller's own programs and devices.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Access)]
struct AccessView {
    /// What it is. More kinds may come.
    #[schema(value_type = AccessKindName)]
    kind: &'static str,
    /// Its id among its kind.
    id: String,
    /// What it opens: for a session, an identity, and a token without a folder, the root; for an upload, the folder that the file will be in.
    file: OpenedView,
    /// What it lets do.
    #[schema(example = "viewer")]
    role: &'static str,
    /// Whom a share is for; null for other kinds.
    #[schema(required = true)]
    grantee: Option<GranteeView>,
    /// What a link or a token is called; the name that an upload will have; what the browser or program of a session says that it is; the
    /// provider of an identity. Null for others, and
    /// where there is none.
    #[schema(required = true)]
    label: Option<String>,
    /// A link wants a password.
    has_password: bool,
    /// When it ends by itself; null for never.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// When it was last used: of tokens and sessions to within some minutes; of identities, when they last signed in. Null for never, and for shares, uploads and what is public.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    /// Who made it; of an upload by a link, who made that.
    made_by: PersonView,
    /// The link that an upload comes by, whoever has it; null for other kinds and other uploads.
    #[schema(required = true, value_type = Option<String>)]
    link_id: Option<LinkId>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// What is opened.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OpenedFile)]
struct OpenedView {
    /// Its id.
    #[schema(value_type = String)]
    id: FileId,
    /// Its name.
    name: String,
    /// Which of the two it is.
    #[serde(rename = "type")]
    #[schema(value_type = FileType)]
    kind: Kind,
    /// It is in the trash, by itself or with a folder: nobody gets at it until it is restored.
    in_trash: bool,
}

#[derive(ToSchema)]
#[schema(as = AccessKind, rename_all = "lowercase")]
#[allow(dead_code, reason = "stands for a word in the document alone")]
enum AccessKindName {
    Share,
    Link,
    Public,
    Token,
    Session,
    Identity,
    Upload,
}

/// A page of the list.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AccessList)]
struct AccessListView {
    /// Shares, then links, then what is open to everybody, then API tokens, sessions, identities of providers and unfinished uploads; each newest first.
    items: Vec<AccessView>,
    /// What to send as `cursor` for the next page; null on the last one.
    #[schema(required = true)]
    next_cursor: Option<String>,
    /// How many there are in all.
    total: u64,
}

fn opener(item: &Opening, user: UserId) -> Option<UserId> {
    match item {
        Opening::Link(link) => Some(link.by),
        Opening::Public(node) => node.public.map(|public| public.by),
        Opening::Share(_) => None,
        Opening::Upload(upload) => Some(upload.owner),
        Opening::Credential(_) => Some(user),
    }
}

impl AccessView {
    fn of(item: &Opening, user: UserId, path: &NodePath, names: &Names) -> Option<Self> {
        let file = OpenedView {
            id: path.node.id,
            name: path.node.name.as_str().to_owned(),
            kind: path.node.kind,
            in_trash: path.in_trash(),
        };
        let person = |id| PersonView::of(id, names);
        let blank = |made_by, created_at, role| Self {
            kind: item.kind().word(),
            id: String::new(),
            file,
            role,
            grantee: None,
            label: None,
            has_password: false,
            expires_at: None,
            last_used_at: None,
            made_by: person(made_by),
            link_id: None,
            created_at,
        };
        Some(match item {
            Opening::Share(share) => Self {
                id: share.id.to_string(),
                grantee: Some(GranteeView::of(share.grantee, names)),
                ..blank(share.by, share.at, share.role.word())
            },
            Opening::Link(link) => Self {
                id: link.id.to_string(),
                label: Some(link.label.clone()),
                has_password: link.password_hash.is_some(),
                expires_at: link.expires_at,
                last_used_at: link.last_used_at,
                ..blank(link.by, link.at, link.role.word())
            },
            Opening::Public(node) => {
                let public = node.public?;
                Self { id: node.id.to_string(), ..blank(public.by, public.since, "viewer") }
            }
            Opening::Credential(one) => Self {
                id: one.id.to_string(),
                label: one.label.clone(),
                expires_at: one.expires_at,
                last_used_at: one.last_used_at,
                ..blank(user, one.created_at, role_of(one).word())
            },
            Opening::Upload(upload) => Self {
                id: upload.id.to_string(),
                label: upload.name.as_ref().map(|name| name.as_str().to_owned()),
                expires_at: Some(upload.expires_at),
                link_id: upload.link,
                ..blank(upload.owner, upload.created_at, ShareRole::Editor.word())
            },
        })
    }
}

/// What a credential may do with files, as a role.
fn role_of(credential: &OwnCredential) -> ShareRole {
    let may = |scope| credential.scopes.is_none_or(|scopes: Scopes| scopes.contains(scope));
    if may(Scope::Shares) {
        ShareRole::Manager
    } else if may(Scope::FilesWrite) {
        ShareRole::Editor
    } else {
        ShareRole::Viewer
    }
}

/// Lists everything that opens the caller's files: shares, links, what is open to everybody; and, as far as the credential is good for them, API tokens,
/// sessions and identities of providers that sign in (`account`) and unfinished uploads (`files:write`): the caller's own, and those of others and by links into the caller's folders.
#[utoipa::path(
    operation_id = "listAccess",
    tag = "sharing",
    params(PageQuery),
    responses(
        (status = 200, description = "A page of the list", body = AccessListView),
        (status = 400, description = "`invalid_request`, `invalid_cursor`", body = ProblemDocument),
        (status = 503, description = "`unavailable`: nobody can say now which tokens and sessions there are", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/api/v1/access")]
pub(super) async fn list(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let query: PageQuery = input::query(&request)?;
    let limit = params::limit(query.limit)?;
    let bound_to = format!("access {}", caller.user);
    let after: Option<Place> =
        query.cursor.map(|text| cursor::decode(&service.cursor_key, &bound_to, &text)).transpose()?;
    let user = params::whole(&caller)?;
    let page = Asked::everything(&service, &caller, user).await?.page(&service, after, limit).await?;
    let next = page.items.last().filter(|_| page.more).map(Opening::place);
    let next_cursor = next.map(|place| cursor::encode(&service.cursor_key, &bound_to, &place));
    let root = own_root(&service, user).await?;
    let nodes = paths(&service, page.items.iter().map(|item| item.node(root))).await?;
    let shares = page.items.iter().filter_map(|item| match item {
        Opening::Share(share) => Some(share),
        _ => None,
    });
    let names = names(&service, shares, page.items.iter().filter_map(|item| opener(item, user))).await;
    let opened = page.items.iter().zip(nodes);
    let items = opened.filter_map(|(item, path)| AccessView::of(item, user, &path?, &names)).collect();
    Ok(HttpResponse::Ok().insert_header(view::PRIVATE).json(AccessListView {
        items,
        next_cursor,
        total: page.total,
    }))
}

/// Ends one of these, at once: tokens and sessions with the scope `account`, uploads with `files:write`, identities by a sign-in and no API token.
#[utoipa::path(
    operation_id = "deleteAccess",
    tag = "sharing",
    params(
        ("kind" = String, Path, description = "Its kind: `share`, `link`, `public`, `token`, `session`, `identity` or `upload`"),
        ("id" = String, Path, description = "Its id"),
    ),
    responses(
        (status = 204, description = "It has ended"),
        (status = 403, description = "`insufficient_scope`", body = ProblemDocument),
        (status = 404, description = "`not_found`", body = ProblemDocument),
        (status = 409, description = "`last_way_in`: nothing but this identity opens the account", body = ProblemDocument),
        (status = 423, description = "`locked`: another request is at the upload", body = ProblemDocument),
        (status = 503, description = "`unavailable`: it may have ended; ask again", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[delete("/api/v1/access/{kind}/{id}")]
pub(super) async fn remove(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let kind = request.match_info().get("kind").and_then(OpeningKind::parse);
    let kind = kind.ok_or_else(|| Problem::new(Code::NotFound))?;
    let wants_session = kind == OpeningKind::Identity;
    if !caller.scopes.contains(kind.scope()) || (wants_session && caller.session().is_none()) {
        return Err(Code::InsufficientScope.into());
    }
    let id: ObjectId = input::path_id(&request, "id")?;
    let by = EndedBy::caller(&caller, client_ip(&request, &service.settings.trusted_proxies));
    overview::end(&service, params::whole(&caller)?, kind, id, by).await?;
    Ok(HttpResponse::NoContent().finish())
}
