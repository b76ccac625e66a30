//! `/api/v1/public/{token}`: what a link lets anyone do, without a credential. An id that is not below what the link leads to is none here.

mod archive;
mod read;
mod uploads;
pub(super) mod view;
mod write;

use actix_web::http::header::HeaderName;
use actix_web::{HttpRequest, web};
use common::auth::Password;
use common::files::Link;
use http_kit::{ApiResult, CookiePolicy, Problem, client_ip};
use utoipa_actix_web::scope::scope;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::sharing::visit::{self, Shown, Visit};
use crate::state::FileService;

/// The field that carries the ticket of a password that was given. Browsers get it as a cookie, too.
const UNLOCK_TICKET: HeaderName = HeaderName::from_static("x-link-ticket");

/// The field that carries the password itself, for programs.
const PASSWORD: HeaderName = HeaderName::from_static("x-link-password");

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    let link = scope("/api/v1/public");
    config.service(
        link.service(read::show)
            .service(read::list)
            .service(read::bytes)
            .service(read::describe)
            .service(read::thumbnail)
            .service(archive::show)
            .service(archive::describe)
            .service(write::unlock)
            .service(write::put_child)
            .service(uploads::options)
            .service(uploads::create)
            .service(uploads::show)
            .service(uploads::describe)
            .service(uploads::append)
            .service(uploads::change_method)
            .service(uploads::remove),
    );
}

/// Opens the link that the path names.
async fn enter(request: &HttpRequest, service: &FileService) -> ApiResult<Visit> {
    let token = request.match_info().get("token").unwrap_or_default();
    let password =
        request.headers().get(PASSWORD).and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
    let shown = Shown {
        tickets: presented(request, &UNLOCK_TICKET, UNLOCK_COOKIE),
        password: password.filter(|text| text.len() <= Password::MAX_BYTES).map(str::to_owned),
        ip: client_ip(request, &service.settings.trusted_proxies),
    };
    Ok(visit::enter(service, token, &shown).await?)
}

/// How the cookie with the ticket for a link's password is called. It goes with requests about its link alone.
const UNLOCK_COOKIE: &str = "fm_link";

/// Where all is that is about one link, and where its cookies go.
pub(super) fn place(link: &Link) -> String {
    format!("/api/v1/public/{}", link.token.reveal())
}

/// The tickets of a request: in a field, and in cookies of this name. More than a few are not there by our doing.
pub(super) fn presented(request: &HttpRequest, field: &HeaderName, cookie: &str) -> Vec<String> {
    let fields = request.headers().get_all(field).filter_map(|value| value.to_str().ok());
    let mut tickets: Vec<_> = fields.map(str::to_owned).collect();
    if let Ok(cookies) = request.cookies() {
        let named = cookies.iter().filter(|held| held.name() == cookie);
        tickets.extend(named.map(|held| held.value().to_owned()));
    }
    tickets.truncate(8);
    tickets
}

/// How cookies are made.
fn cookies(request: &HttpRequest) -> ApiResult<&web::Data<CookiePolicy>> {
    request.app_data().ok_or_else(|| Problem::new(common::Code::Internal))
}
