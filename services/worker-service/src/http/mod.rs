//! Routes and handlers. Every path is written out whole, since the services of the all-in-one share one `App`.

mod internal;
mod jobs;

use actix_web::{App, web};
use utoipa::openapi::OpenApi;
use utoipa_actix_web::AppExt as _;
use utoipa_actix_web::service_config::ServiceConfig;

/// The public routes: this service's part of `/api/v1`. They want `web::Data<WorkerService>` and what extractors of credentials want.
pub fn public_routes(config: &mut ServiceConfig<'_>) {
    config.service(jobs::list).service(jobs::summary);
}

/// The routes that other services call, on the internal listener alone. Each wants a service token.
pub fn internal_routes(config: &mut web::ServiceConfig) {
    config.route("/internal/jobs/known", web::post().to(internal::known));
}

/// This service's part of the OpenAPI document.
pub fn openapi() -> OpenApi {
    let (_, document) = App::new().into_utoipa_app().configure(public_routes).split_for_parts();
    document
}
