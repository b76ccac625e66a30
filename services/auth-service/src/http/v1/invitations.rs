//! `/api/v1/admin/invitations`.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use common::auth::{Address, Invitation};
use common::{Code, InvitationId, Timestamp, UserId};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, Problem, input};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::lists::{self, RoleChoice};
use super::proof::{self, ProofBody};
use crate::AuthService;
use crate::app::invitations::{self, LIFETIME, LONGEST, NewInvitation};
use crate::http::{BODY_BYTES, author, client};

/// An invitation.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Invitation)]
pub(super) struct InvitationView {
    /// 24 hexadecimal digits.
    id: String,
    /// The address that it is for; null for any.
    email: Option<String>,
    #[schema(inline)]
    role: RoleChoice,
    /// Who made it.
    #[schema(value_type = String)]
    made_by: UserId,
    /// RFC 3339, UTC.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

impl From<&Invitation> for InvitationView {
    fn from(invitation: &Invitation) -> Self {
        Self {
            id: invitation.id.to_string(),
            email: invitation.address.as_ref().map(|address| address.as_str().to_owned()),
            role: invitation.role.into(),
            made_by: invitation.made_by,
            created_at: invitation.created_at,
            expires_at: invitation.expires_at,
        }
    }
}

/// A new invitation with its code.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NewInvitation)]
pub(super) struct NewInvitationView {
    #[serde(flatten)]
    invitation: InvitationView,
    /// For `invitation` of `POST /api/v1/auth/register`; shown now and never again.
    code: String,
}

/// A page of invitations.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = InvitationList)]
pub(super) struct InvitationListView {
    /// Those that can be used, newest first.
    items: Vec<InvitationView>,
    /// For the next page.
    next_cursor: Option<String>,
    /// How many there are.
    total: u64,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct InvitationsQuery {
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// Most items of the page, 1 to 1000; 100 if left out.
    limit: Option<u32>,
}

const LIST: &str = "invitations";

/// Lists the invitations that can be used
#[utoipa::path(
    tag = "administration",
    operation_id = "listInvitations",
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    params(InvitationsQuery),
    responses(
        (status = 200, body = InvitationListView),
        (status = 400, description = "`invalid_request`, `invalid_cursor`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`, `insufficient_scope`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[get("/invitations")]
pub(super) async fn list(
    _: Authenticated,
    request: HttpRequest,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let query: InvitationsQuery = input::query(&request)?;
    let limit = lists::limit(query.limit)?;
    let before = lists::before::<InvitationId>(&service, LIST, query.cursor.as_deref())?;
    let now = service.accounts.clock.now();
    let page = service.admin.invitations.list_invitations(now, before, limit).await?;
    let last = page.items.last().filter(|_| page.more);
    let answer = InvitationListView {
        next_cursor: last.map(|invitation| lists::after(&service, LIST, invitation.id.0)),
        items: page.items.iter().map(InvitationView::from).collect(),
        total: page.total,
    };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(answer))
}

/// Makes an invitation.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = CreateInvitation)]
pub(super) struct InvitationBody {
    /// Only for an account with this address, which gets it by mail.
    #[schema(format = Email)]
    email: Option<String>,
    /// The role of the new account; `user` if left out.
    #[schema(inline)]
    role: Option<RoleChoice>,
    /// When it shall end; a week from now if left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// For the role `admin`: that it is the caller who asks.
    proof: Option<ProofBody>,
}

/// Makes an invitation: the right to register once, also where registration is closed
///
/// One for an administrator wants a sign-in, no token, and `proof`. All administrators are told by mail when it is used.
#[utoipa::path(
    tag = "administration",
    operation_id = "createInvitation",
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    request_body = InvitationBody,
    responses(
        (status = 201, description = "Made; the mail is on its way if there is an address", body = NewInvitationView),
        (status = 400, description = "`invalid_json`, `invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`; `second_factor_required`, `invalid_second_factor`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`, `insufficient_scope`, `wrong_password`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[post("/invitations")]
pub(super) async fn create(
    caller: Authenticated,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let body: InvitationBody = input::json(&request, payload, BODY_BYTES).await?;
    let now = service.accounts.clock.now();
    let expires_at = body.expires_at.unwrap_or(now + LIFETIME);
    if expires_at <= now {
        return Err(invalid("/expiresAt", "in_the_past", "The end of the invitation has passed"));
    }
    if expires_at > now + LONGEST {
        return Err(invalid("/expiresAt", "too_late", "An invitation is good for a year at most"));
    }
    let new = NewInvitation {
        address: body.email.as_deref().map(mailbox).transpose()?,
        role: body.role.map_or(common::auth::Role::User, Into::into),
        expires_at,
    };
    let from = client(&request, &service);
    let is_wanted = new.role == common::auth::Role::Admin;
    proof::require(&service, &from, &caller, body.proof.as_ref(), is_wanted).await?;
    let by = author(&caller, &request, &service);
    let (invitation, code) =
        invitations::create(&service.administration, &from, caller.user, &by, new).await?;
    let answer = NewInvitationView { invitation: InvitationView::from(&invitation), code };
    Ok(HttpResponse::Created().insert_header((header::CACHE_CONTROL, "no-store")).json(answer))
}

fn mailbox(text: &str) -> ApiResult<Address> {
    Address::parse(text)
        .ok()
        .filter(Address::is_mailbox)
        .ok_or_else(|| invalid("/email", "invalid", "The address has not the form name@domain"))
}

fn invalid(pointer: &str, code: &'static str, detail: &'static str) -> Problem {
    Problem::new(Code::InvalidRequest).detail(detail).field(pointer, code, detail)
}

/// Withdraws an invitation
#[utoipa::path(
    tag = "administration",
    operation_id = "deleteInvitation",
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 204, description = "Withdrawn"),
        (status = 403, description = "`forbidden`, `insufficient_scope`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: unknown, used, or past its time for long", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[delete("/invitations/{id}")]
pub(super) async fn withdraw(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let id: InvitationId = input::path_id(&request, "id")?;
    let by = author(&caller, &request, &service);
    if invitations::withdraw(&service.administration, &by, id).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(Code::NotFound.into())
    }
}
