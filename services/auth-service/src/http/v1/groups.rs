//! `/api/v1/groups` and `/api/v1/people`.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, web};
use common::auth::{Address, Group, GroupChange, User};
use common::{Code, GroupId, Timestamp, UserId};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, Problem, input};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::lists;
use crate::app::groups::{self, InvalidGroup};
use crate::app::own_account::AccountError;
use crate::http::{author, capitalised, problem};
use crate::{AuthService, People};

/// A thousand members fit.
const BODY_BYTES: usize = 64 * 1024;
/// People that a look-up shows, unless it asks for fewer.
const PEOPLE: u32 = 20;

/// A group.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Group)]
pub(super) struct GroupView {
    /// 24 hexadecimal digits.
    #[schema(value_type = String)]
    id: GroupId,
    /// Its name.
    name: String,
    /// The ids of its members.
    #[schema(value_type = Vec<String>)]
    members: Vec<UserId>,
    /// RFC 3339, UTC.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<Group> for GroupView {
    fn from(group: Group) -> Self {
        Self { id: group.id, name: group.name, members: group.members, created_at: group.created_at }
    }
}

/// A page of groups.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = GroupList)]
pub(super) struct GroupListView {
    /// Newest first.
    items: Vec<GroupView>,
    /// For the next page.
    next_cursor: Option<String>,
    /// How many there are.
    total: u64,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct GroupsQuery {
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// Most items of the page, 1 to 1000; 100 if left out.
    limit: Option<u32>,
}

/// Lists groups, newest first: all for administrators, else those that the caller is in
#[utoipa::path(
    tag = "groups",
    operation_id = "listGroups",
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    params(GroupsQuery),
    responses(
        (status = 200, body = GroupListView),
        (status = 400, description = "`invalid_request`, `invalid_cursor`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`insufficient_scope`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[get("")]
pub(super) async fn list(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let query: GroupsQuery = input::query(&request)?;
    let limit = lists::limit(query.limit)?;
    let member = (!caller.is_admin()).then_some(caller.user);
    let name = format!("groups {member:?}");
    let before = lists::before::<GroupId>(&service, &name, query.cursor.as_deref())?;
    let page = service.admin.groups.list_groups(member, before, limit).await?;
    let last = page.items.last().filter(|_| page.more);
    let answer = GroupListView {
        next_cursor: last.map(|group| lists::after(&service, &name, group.id.0)),
        items: page.items.into_iter().map(GroupView::from).collect(),
        total: page.total,
    };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(answer))
}

/// Makes a group.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = CreateGroup)]
pub(super) struct GroupBody {
    /// Its name, 1 to 100 characters; one group each, whatever the case.
    name: String,
    /// The ids of its members, at most 1000.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    members: Vec<UserId>,
}

/// What of a group shall be different. What is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = UpdateGroup)]
pub(super) struct GroupChangeBody {
    /// Its name.
    name: Option<String>,
    /// The ids of all its members.
    #[schema(value_type = Option<Vec<String>>)]
    members: Option<Vec<UserId>>,
}

fn name(text: &str) -> ApiResult<String> {
    groups::name(text).map_err(|fault| invalid("/name", "invalid", fault))
}

fn members(members: Vec<UserId>) -> ApiResult<Vec<UserId>> {
    groups::members(members).map_err(|fault| invalid("/members", "too_many", fault))
}

fn invalid(pointer: &'static str, code: &'static str, fault: InvalidGroup) -> Problem {
    let detail = capitalised(&fault.to_string());
    Problem::new(Code::InvalidRequest).detail(detail.clone()).field(pointer, code, detail)
}

/// Makes a group
#[utoipa::path(
    tag = "groups",
    operation_id = "createGroup",
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    request_body = GroupBody,
    responses(
        (status = 201, description = "Made", body = GroupView),
        (status = 400, description = "`invalid_json`, `invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`, `insufficient_scope`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`name_taken`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[post("")]
pub(super) async fn create(
    caller: Authenticated,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let body: GroupBody = input::json(&request, payload, BODY_BYTES).await?;
    let (name, members) = (name(&body.name)?, members(body.members)?);
    let by = author(&caller, &request, &service);
    let group = groups::create(&service.administration, &by, name, members).await.map_err(problem)?;
    Ok(HttpResponse::Created().json(GroupView::from(group)))
}

/// Shows a group to administrators and to its members
#[utoipa::path(
    tag = "groups",
    operation_id = "getGroup",
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, body = GroupView),
        (status = 403, description = "`insufficient_scope`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[get("/{id}")]
pub(super) async fn show(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let id: GroupId = input::path_id(&request, "id")?;
    let group = service.admin.groups.find_group(id).await?;
    let seen = group.filter(|group| caller.is_admin() || group.members.contains(&caller.user));
    Ok(HttpResponse::Ok().json(GroupView::from(seen.ok_or(Code::NotFound)?)))
}

/// Renames a group, and sets its members
#[utoipa::path(
    tag = "groups",
    operation_id = "updateGroup",
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    params(("id" = String, Path, description = "Its id")),
    request_body = GroupChangeBody,
    responses(
        (status = 200, description = "As it is now", body = GroupView),
        (status = 400, description = "`invalid_json`, `invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`, `insufficient_scope`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`name_taken`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[patch("/{id}")]
pub(super) async fn change(
    caller: Authenticated,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let id: GroupId = input::path_id(&request, "id")?;
    let body: GroupChangeBody = input::json(&request, payload, BODY_BYTES).await?;
    let change = GroupChange {
        name: body.name.as_deref().map(name).transpose()?,
        members: body.members.map(members).transpose()?,
    };
    let by = author(&caller, &request, &service);
    let group = groups::change(&service.administration, &by, id, &change).await.map_err(problem)?;
    Ok(HttpResponse::Ok().json(GroupView::from(group)))
}

/// Deletes a group
#[utoipa::path(
    tag = "groups",
    operation_id = "deleteGroup",
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 204, description = "Gone"),
        (status = 403, description = "`forbidden`, `insufficient_scope`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[delete("/{id}")]
pub(super) async fn remove(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let id: GroupId = input::path_id(&request, "id")?;
    let by = author(&caller, &request, &service);
    if groups::delete(&service.administration, &by, id).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(Code::NotFound.into())
    }
}

/// Somebody to share with.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Person)]
pub(super) struct PersonView {
    /// 24 hexadecimal digits.
    id: String,
    /// As typed.
    email: String,
}

/// Who was found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = People)]
pub(super) struct PeopleView {
    /// By address.
    items: Vec<PersonView>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PeopleQuery {
    /// The beginning of an address, or a whole one.
    q: String,
    /// Most people, 1 to 20.
    limit: Option<u32>,
}

/// Looks people up, to share with them
///
/// As far as the settings let users see one another: everybody whose address begins so, only those in a group with the caller, or nobody; somebody whose
/// whole address is given is always found.
#[utoipa::path(
    tag = "groups",
    operation_id = "findPeople",
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    params(PeopleQuery),
    responses(
        (status = 200, body = PeopleView),
        (status = 400, description = "`invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`insufficient_scope`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`rate_limited`: too many look-ups", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[get("/api/v1/people")]
pub(super) async fn people(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let query: PeopleQuery = input::query(&request)?;
    let limit = query.limit.unwrap_or(PEOPLE).clamp(1, PEOPLE);
    let mut found: Vec<User> = Vec::new();
    if let Ok(address) = Address::parse(&query.q) {
        let key = address.key();
        // any text may be the whole name of an account that the classic API made
        let counted = service.limits.count_look_up(caller.user).await;
        counted.map_err(|refused| problem(AccountError::from(refused)))?;
        let exact = service.accounts.store.find_user_by_address(&key).await?;
        found.extend(exact.filter(|user| !user.disabled));
        let store = &service.admin.groups;
        let others = match service.settings.administration.people {
            People::All => store.find_people(&key, None, limit + 1).await?,
            People::Groups => store.find_people(&key, Some(caller.user), limit).await?,
            People::Exact => Vec::new(),
        };
        for user in others {
            if found.iter().all(|other| other.id != user.id) {
                found.push(user);
            }
        }
    }
    let items = found
        .into_iter()
        .filter(|user| user.id != caller.user)
        .take(limit as usize)
        .map(|user| PersonView { id: user.id.to_string(), email: user.address.as_str().to_owned() })
        .collect();
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(PeopleView { items }))
}
