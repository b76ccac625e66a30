//! Routes and handlers. The paths of handlers are those below their scope: the server looks a call up pattern by pattern, and a scope that does not fit
//! spares it all that are below.

mod access;
mod answers;
mod body;
mod change;
mod claim;
mod create;
mod dead;
mod deliveries;
mod events;
mod internal;
mod kinds;
mod list;
mod mine;
mod notifications;
mod page;
mod report;
mod results;
mod return_job;
mod schedule_body;
mod schedule_preview;
mod schedules;
mod stats;
mod view;
mod webhook_body;
mod webhooks;

use actix_web::{App, web};
use utoipa::openapi::OpenApi;
use utoipa_actix_web::AppExt as _;
use utoipa_actix_web::scope::scope;
use utoipa_actix_web::service_config::ServiceConfig;

/// The public routes: this service's part of `/api/v1`. They want `web::Data<WorkerService>` and what extractors of credentials want.
pub fn public_routes(config: &mut ServiceConfig<'_>) {
    // what has a name of its own goes before ids
    config
        .service(
            scope("/api/v1/users/me/jobs")
                .service(mine::list)
                .service(mine::summary)
                .service(events::mine)
                .service(mine::show),
        )
        .service(
            scope("/api/v1/jobs")
                .service(list::list)
                .service(create::create)
                // called most often: the server tries patterns in this order
                .service(claim::claim)
                .service(results::results)
                .service(events::all)
                .service(stats::show)
                .service(kinds::list)
                .service(kinds::pause)
                .service(kinds::resume)
                .service(kinds::set_limit)
                .service(kinds::unlimit)
                .service(list::dead)
                .service(dead::retry)
                .service(schedules::list)
                .service(schedules::create)
                .service(schedule_preview::preview)
                .service(schedules::show)
                .service(schedules::change)
                .service(schedules::remove)
                .service(schedules::run)
                .service(list::show)
                .service(list::log)
                .service(change::alter)
                .service(change::remove)
                .service(change::retry)
                .service(change::cancel)
                .service(report::progress)
                .service(report::log)
                .service(report::heartbeat)
                .service(report::complete)
                .service(report::fail)
                .service(return_job::give_back),
        )
        .service(
            scope("/api/v1/webhooks")
                .service(webhooks::list)
                .service(webhooks::create)
                .service(webhooks::show)
                .service(webhooks::change)
                .service(webhooks::remove)
                .service(webhooks::replace_secret)
                .service(deliveries::list)
                .service(deliveries::test)
                .service(deliveries::again),
        )
        .service(scope("/api/v1/notifications").service(notifications::list).service(notifications::read));
}

/// The routes that other services call, on the internal listener alone. Each wants a service token.
pub fn internal_routes(config: &mut web::ServiceConfig) {
    config
        .route("/internal/jobs/known", web::post().to(internal::known))
        .route("/internal/notifications", web::post().to(internal::notify));
}

/// This service's part of the OpenAPI document.
pub fn openapi() -> OpenApi {
    let (_, document) = App::new().into_utoipa_app().configure(public_routes).split_for_parts();
    document
}
