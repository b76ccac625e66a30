//! `/api/v1/files/{id}/links` and `/api/v1/links`: links, as those see them who make them.

use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, web};
use common::auth::{InvalidPassword, Password, Principal};
use common::files::{AccessOf, Action, Link, LinkRole, Node};
use common::{Code, FileId, ObjectId, Timestamp};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, Problem, cursor, input};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::shares::{PageQuery, PersonView};
use super::{params, view};
use crate::app::access::authorize;
use crate::app::sharing::links::{self, Changes, Wanted};
use crate::app::sharing::overview::{Asked, Opening, Place};
use crate::app::sharing::{Names, names};
use crate::error::AppError;
use crate::state::FileService;

/// Largest JSON body.
const BODY_BYTES: usize = 8 * 1024;
/// Longest label, in bytes.
const LABEL_BYTES: usize = 200;
/// Most links to one file that are listed.
const MAX_OF_FILE: u32 = 10_000;

/// A link.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Link)]
pub(super) struct LinkView {
    /// Its id. One of the kind `public` has that of its file.
    id: String,
    /// `link`, or `public` for what the classic API calls public: its content is open to everybody who knows its id.
    #[schema(value_type = LinkKindName)]
    kind: &'static str,
    /// The file or folder that it opens, and with it all that is inside; of the kind `public` itself alone.
    #[schema(value_type = String)]
    file_id: FileId,
    /// The secret in its address, `…/api/v1/public/{token}`; null for the kind `public`.
    #[schema(required = true)]
    token: Option<String>,
    /// What it lets anyone do: `viewer` looks and reads, `preview-only` sees thumbnails and nothing else of a content, `editor` adds and replaces files,
    /// too, `dropper` adds files and sees nothing.
    #[schema(value_type = LinkRoleName)]
    role: LinkRole,
    /// What its maker calls it.
    label: String,
    /// It wants a password.
    has_password: bool,
    /// When it ends by itself; null for never.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// How often contents may be read by it all in all; null for no limit.
    #[schema(required = true)]
    max_downloads: Option<u64>,
    /// Its maker and the owner of the file are notified (`link.used`) when something is read or dropped by it: at once, and then of all that happened since
    /// once an hour at most.
    notify: bool,
    /// How often contents were read by it; null for the kind `public`, of which that is not counted.
    #[schema(required = true)]
    downloads: Option<u64>,
    /// How often it was opened; null for the kind `public`.
    #[schema(required = true)]
    opens: Option<u64>,
    /// When it was last used; null for never, and for the kind `public`.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    /// Who made it.
    made_by: PersonView,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

#[derive(ToSchema)]
#[schema(as = LinkRole, rename_all = "kebab-case")]
#[allow(dead_code, reason = "stands for common's type in the document alone")]
pub(super) enum LinkRoleName {
    Viewer,
    PreviewOnly,
    Editor,
    Dropper,
}

#[derive(ToSchema)]
#[schema(as = LinkKind, rename_all = "lowercase")]
#[allow(dead_code, reason = "stands for a word in the document alone")]
enum LinkKindName {
    Link,
    Public,
}

impl LinkView {
    fn of(link: &Link, names: &Names) -> Self {
        Self {
            id: link.id.to_string(),
            kind: "link",
            file_id: link.node,
            token: Some(link.token.reveal()),
            role: link.role,
            label: link.label.clone(),
            has_password: link.password_hash.is_some(),
            expires_at: link.expires_at,
            max_downloads: link.max_downloads,
            notify: link.notify,
            downloads: Some(link.downloads),
            opens: Some(link.opens),
            last_used_at: link.last_used_at,
            made_by: PersonView::of(link.by, names),
            created_at: link.at,
        }
    }

    /// Without its token for a credential that may not do itself what the link lets one do.
    fn seen_by(self, caller: &Principal) -> Self {
        if may_give(caller, self.role).is_ok() { self } else { Self { token: None, ..self } }
    }

    fn of_public(node: &Node, names: &Names) -> Option<Self> {
        let public = node.public?;
        Some(Self {
            id: node.id.to_string(),
            kind: "public",
            file_id: node.id,
            token: None,
            role: LinkRole::Viewer,
            label: String::new(),
            has_password: false,
            expires_at: None,
            max_downloads: None,
            notify: false,
            downloads: None,
            opens: None,
            last_used_at: None,
            made_by: PersonView::of(public.by, names),
            created_at: public.since,
        })
    }
}

/// The links to one file or folder.
#[derive(Serialize, ToSchema)]
#[schema(as = FileLinks)]
pub(super) struct FileLinksView {
    /// Newest first, one of the kind `public` last. Links to a folder above it are not in here.
    items: Vec<LinkView>,
}

/// Lists the links to a file or folder. For those who may share it.
#[utoipa::path(
    operation_id = "listFileLinks",
    tag = "sharing",
    params(("id" = String, Path, description = "The id of the file or folder")),
    responses(
        (status = 200, description = "The links", body = FileLinksView),
        (status = 403, description = "`forbidden`", body = ProblemDocument),
        (status = 404, description = "`not_found`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/{id}/links")]
pub(super) async fn list_of_file(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let target = params::target(&request, "id")?;
    let node = authorize(&service, params::actor(&caller), Action::Share, target).await?;
    let found = service.links.list_links(&AccessOf::Node(node.id()), None, MAX_OF_FILE).await?;
    let public = node.node().public.map(|public| public.by);
    let names = names(&service, [], found.iter().map(|link| link.by).chain(public)).await;
    let mut items: Vec<_> = found.iter().map(|link| LinkView::of(link, &names).seen_by(&caller)).collect();
    items.extend(LinkView::of_public(node.node(), &names));
    Ok(HttpResponse::Ok().insert_header(view::PRIVATE).json(FileLinksView { items }))
}

/// What the link shall be.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = CreateLink)]
pub(super) struct MakeBody {
    /// What it lets anyone do; `viewer` if left out.
    #[schema(value_type = Option<LinkRoleName>)]
    role: Option<LinkRole>,
    /// What you call it.
    #[serde(default)]
    label: String,
    /// The password that it wants: at least one character, at most 72 bytes.
    password: Option<String>,
    /// When it ends by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// How often contents may be read by it all in all.
    #[schema(minimum = 1)]
    max_downloads: Option<u64>,
    /// You and the owner of the file are notified when something is read or dropped by it.
    #[serde(default)]
    notify: bool,
}

/// Makes a link to a file or folder and all that is inside.
#[utoipa::path(
    operation_id = "createLink",
    tag = "sharing",
    params(("id" = String, Path, description = "The id of the file or folder")),
    request_body = MakeBody,
    responses(
        (status = 201, description = "The new link", body = LinkView),
        (status = 400, description = "`invalid_request`, `invalid_json`", body = ProblemDocument),
        (status = 403, description = "`forbidden`, also by a token that ends before the link would; `insufficient_scope`", body = ProblemDocument),
        (status = 404, description = "`not_found`", body = ProblemDocument),
        (status = 422, description = "`unprocessable`: a root folder, or a file that should be dropped into", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[post("/{id}/links")]
pub(super) async fn make(
    caller: Authenticated,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let target = params::target(&request, "id")?;
    let node = authorize(&service, params::actor(&caller), Action::Share, target).await?;
    let body: MakeBody = input::json(&request, payload, BODY_BYTES).await?;
    let wanted = Wanted {
        role: body.role.unwrap_or(LinkRole::Viewer),
        label: checked_label(body.label)?,
        password: body.password.as_deref().map(password).transpose()?,
        expires_at: body.expires_at.map(|end| expiry(&service, end)).transpose()?,
        max_downloads: body.max_downloads.map(limit).transpose()?,
        notify: body.notify,
    };
    may_give(&caller, wanted.role)?;
    params::ends_with_it(&caller, wanted.expires_at)?;
    let link = links::make(&service, &node, wanted).await?;
    let names = names(&service, [], [link.by]).await;
    Ok(HttpResponse::Created().insert_header(view::PRIVATE).json(LinkView::of(&link, &names)))
}

fn may_give(caller: &Principal, role: LinkRole) -> ApiResult<()> {
    let reads = !matches!(role, LinkRole::Dropper);
    let writes = matches!(role, LinkRole::Editor | LinkRole::Dropper);
    params::gives_what_it_has(caller, reads, writes)
}

/// A member that may be left out, be null, or have a value.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// What shall be different. What is left out stays; null lifts it.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = UpdateLink)]
pub(super) struct ChangeBody {
    /// What it lets anyone do.
    #[schema(value_type = Option<LinkRoleName>)]
    role: Option<LinkRole>,
    /// What you call it.
    label: Option<String>,
    /// The password that it wants.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    password: Option<Option<String>>,
    /// When it ends by itself.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Option<Timestamp>>,
    /// How often contents may be read by it all in all, those times counted that lie behind.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u64>, minimum = 1)]
    max_downloads: Option<Option<u64>>,
    /// Whether its maker and the owner of the file are notified.
    notify: Option<bool>,
}

/// Changes a link, at once for whoever has it.
#[utoipa::path(
    operation_id = "updateLink",
    tag = "sharing",
    params(("id" = String, Path, description = "The id of the link")),
    request_body = ChangeBody,
    responses(
        (status = 200, description = "The link as it is now", body = LinkView),
        (status = 400, description = "`invalid_request`, `invalid_json`", body = ProblemDocument),
        (status = 403, description = "`forbidden`: by a token that ends before the link; `insufficient_scope`", body = ProblemDocument),
        (status = 404, description = "`not_found`", body = ProblemDocument),
        (status = 422, description = "`unprocessable`: a file that should be dropped into", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[patch("/api/v1/links/{id}")]
pub(super) async fn change(
    caller: Authenticated,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let id = input::path_id(&request, "id")?;
    links::require(&service, params::whole(&caller)?, id).await?;
    let body: ChangeBody = input::json(&request, payload, BODY_BYTES).await?;
    let changes = Changes {
        role: body.role,
        label: body.label.map(checked_label).transpose()?,
        password: body.password.map(|text| text.as_deref().map(password).transpose()).transpose()?,
        expires_at: body
            .expires_at
            .map(|end| end.map(|end| expiry(&service, end)).transpose())
            .transpose()?,
        max_downloads: body.max_downloads.map(|most| most.map(limit).transpose()).transpose()?,
        notify: body.notify,
    };
    let held = service.links.find_link(id).await.map_err(AppError::from)?.ok_or(Code::NotFound)?;
    may_give(&caller, changes.role.unwrap_or(held.role))?;
    params::ends_with_it(&caller, changes.expires_at.unwrap_or(held.expires_at))?;
    let link = links::change(&service, caller.user, id, changes).await?;
    let names = names(&service, [], [link.by]).await;
    Ok(HttpResponse::Ok().insert_header(view::PRIVATE).json(LinkView::of(&link, &names)))
}

/// Ends a link, at once. One of the kind `public` closes its file.
#[utoipa::path(
    operation_id = "deleteLink",
    tag = "sharing",
    params(("id" = String, Path, description = "The id of the link")),
    responses(
        (status = 204, description = "It has ended"),
        (status = 404, description = "`not_found`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[delete("/api/v1/links/{id}")]
pub(super) async fn remove(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let id: ObjectId = input::path_id(&request, "id")?;
    links::end(&service, params::whole(&caller)?, id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A page of a list of links.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LinkList)]
pub(super) struct LinkListView {
    /// Newest first, those of the kind `public` last.
    items: Vec<LinkView>,
    /// What to send as `cursor` for the next page; null on the last one.
    #[schema(required = true)]
    next_cursor: Option<String>,
    /// How many there are in all.
    total: u64,
}

/// Lists the links to the caller's files, and those that the caller made to others'.
#[utoipa::path(
    operation_id = "listLinks",
    tag = "sharing",
    params(PageQuery),
    responses(
        (status = 200, description = "A page of the list", body = LinkListView),
        (status = 400, description = "`invalid_request`, `invalid_cursor`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/api/v1/links")]
pub(super) async fn list(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let query: PageQuery = input::query(&request)?;
    let limit = params::limit(query.limit)?;
    let bound_to = format!("links {}", caller.user);
    let after: Option<Place> =
        query.cursor.map(|text| cursor::decode(&service.cursor_key, &bound_to, &text)).transpose()?;
    let page = Asked::links(&service, params::whole(&caller)?).await?.page(&service, after, limit).await?;
    let next = page.items.last().filter(|_| page.more).map(Opening::place);
    let next_cursor = next.map(|place| cursor::encode(&service.cursor_key, &bound_to, &place));
    let makers = page.items.iter().filter_map(|item| match item {
        Opening::Link(link) => Some(link.by),
        Opening::Public(node) => node.public.map(|public| public.by),
        Opening::Share(_) | Opening::Credential(_) | Opening::Upload(_) => None,
    });
    let names = names(&service, [], makers).await;
    let items = page.items.iter().filter_map(|item| match item {
        Opening::Link(link) => Some(LinkView::of(link, &names).seen_by(&caller)),
        Opening::Public(node) => LinkView::of_public(node, &names),
        Opening::Share(_) | Opening::Credential(_) | Opening::Upload(_) => None,
    });
    Ok(HttpResponse::Ok().insert_header(view::PRIVATE).json(LinkListView {
        items: items.collect(),
        next_cursor,
        total: page.total,
    }))
}

fn wrong(pointer: &str, code: &'static str, detail: &'static str) -> Problem {
    Problem::new(Code::InvalidRequest).detail(detail).field(pointer, code, detail)
}

fn checked_label(text: String) -> ApiResult<String> {
    let text = text.trim();
    if text.len() > LABEL_BYTES {
        return Err(wrong("/label", "too_long", "A label has at most 200 bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err(wrong("/label", "control_character", "A label has no control characters"));
    }
    Ok(text.to_owned())
}

fn password(text: &str) -> ApiResult<Password> {
    Password::parse(text).map_err(|error| {
        let (code, detail) = match error {
            InvalidPassword::Empty | InvalidPassword::TooShort { .. } => ("missing", "The password is empty"),
            InvalidPassword::TooLong => ("too_long", "The password is longer than 72 bytes"),
            InvalidPassword::Nul => ("invalid", "The password holds a NUL character"),
            // rules for accounts alone
            InvalidPassword::Common | InvalidPassword::IsAddress => {
                ("invalid", "The password cannot be used")
            }
        };
        wrong("/password", code, detail)
    })
}

fn expiry(service: &FileService, end: Timestamp) -> ApiResult<Timestamp> {
    if end <= service.clock.now() {
        return Err(wrong("/expiresAt", "out_of_range", "A link ends in the future"));
    }
    Ok(end)
}

fn limit(most: u64) -> ApiResult<u64> {
    if most == 0 || i64::try_from(most).is_err() {
        return Err(wrong("/maxDownloads", "out_of_range", "At least one download is allowed"));
    }
    Ok(most)
}
