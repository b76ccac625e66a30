use actix_web::{HttpResponse, get, web};
use common::Code;
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated};

use super::User;
use crate::AuthService;
use crate::app::Profile;

/// The caller's own account
#[utoipa::path(
    tag = "accounts",
    operation_id = "getMe",
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    responses(
        (status = 200, body = User),
        (status = 401, description = "`unauthorized`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[get("/api/v1/users/me")]
pub(super) async fn me(caller: Authenticated, service: web::Data<AuthService>) -> ApiResult<HttpResponse> {
    let user = service.accounts.store.find_user(caller.user).await?.ok_or(Code::Unauthorized)?;
    Ok(HttpResponse::Ok().json(User::from(Profile::from(user))))
}
