use std::collections::BTreeSet;

use actix_web::{HttpRequest, web};
use common::jobs::MAX_KNOWN_IDS;
use common::jobs::internal::KnownJobs;
use common::notifications::{MAX_AT_ONCE, Notified, Notify};
use common::{Code, UserId};
use http_kit::service_token::ServiceCaller;
use http_kit::{ApiResult, Problem, input};

use super::answers::wrong;
use crate::WorkerService;

/// Room for [`MAX_KNOWN_IDS`] ids with some white space.
const MOST_BYTES: usize = 64 * 1024;
/// Room for [`MAX_AT_ONCE`] notifications, each with most data and the longest text.
const MOST_NEWS_BYTES: usize = 1024 * 1024;

/// Which of these jobs the store has, or had within the last day.
pub(super) async fn known(
    _caller: ServiceCaller,
    service: web::Data<WorkerService>,
    request: HttpRequest,
    payload: web::Payload,
) -> ApiResult<web::Json<KnownJobs>> {
    let asked: KnownJobs = input::json(&request, payload, MOST_BYTES).await?;
    if asked.ids.len() > MAX_KNOWN_IDS {
        return Err(Problem::new(Code::InvalidRequest).detail("at most 1000 ids at once"));
    }
    let ids = service.store.known(&asked.ids).await?;
    Ok(web::Json(KnownJobs { ids }))
}

/// Tells users something. Safe to repeat: a known id changes nothing.
pub(super) async fn notify(
    _caller: ServiceCaller,
    service: web::Data<WorkerService>,
    request: HttpRequest,
    payload: web::Payload,
) -> ApiResult<web::Json<Notified>> {
    let asked: Notify = input::json(&request, payload, MOST_NEWS_BYTES).await?;
    if asked.items.len() > MAX_AT_ONCE {
        return Err(Problem::new(Code::InvalidRequest).detail("at most 100 notifications at once"));
    }
    for (index, news) in asked.items.iter().enumerate() {
        news.check().map_err(|error| wrong(&format!("/items/{index}"), error.to_string()))?;
    }
    let ids = service.notifications.notify(&asked.items, service.clock.now()).await?;
    let users: BTreeSet<UserId> =
        asked.items.iter().filter(|news| ids.contains(&news.id)).map(|news| news.user).collect();
    service.bells.ring_news(users).await;
    Ok(web::Json(Notified { ids }))
}
