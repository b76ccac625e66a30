//! Schedules.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, web};
use common::jobs::{ChangeScheduleError, InsertOutcome, MAX_SCHEDULES, Schedule as Stored};
use common::{Code, JobId, ScheduleId, Timestamp};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Problem, cause, cursor, input};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::access::Administrator;
use super::answers::{MOST_BYTES, Restricted};
use super::schedule_body::{Schedule, SchedulePatch, ScheduleRequest};
use crate::WorkerService;

/// How often a change is tried again when the schedule fires at the same moment.
const MOST_TRIES: u32 = 5;
/// What a page has where nobody says it: those that there can be, if they are short.
const ALL: u32 = 1000;
/// What cursors of the list belong to.
const LIST: &str = "schedules";

/// A page of schedules.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Schedules {
    /// Oldest first. They are fewer than were asked for where they would have more than 4 MiB.
    items: Vec<Schedule>,
    /// Where the next page begins; null on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// Which schedules to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SchedulesQuery {
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// Most items on the page. Default: all that there can be.
    #[param(minimum = 1, maximum = 1000, default = 1000)]
    limit: Option<u32>,
}

/// A job that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ScheduledJob {
    /// Its id.
    id: String,
}

/// All schedules: a page ends before the one with which it would have more than 4 MiB.
#[utoipa::path(
    tag = "jobs",
    operation_id = "listSchedules",
    params(SchedulesQuery),
    responses((status = 200, description = "A page of schedules", body = Schedules), Restricted),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[get("/schedules")]
pub(super) async fn list(
    _caller: Administrator,
    service: web::Data<WorkerService>,
    request: HttpRequest,
) -> ApiResult<web::Json<Schedules>> {
    let SchedulesQuery { cursor, limit } = input::query(&request)?;
    let limit = super::page::limit(limit.or(Some(ALL)))?;
    let after: Option<(i64, ScheduleId)> =
        cursor.map(|cursor| cursor::decode(&service.cursor_key, LIST, &cursor)).transpose()?;
    let after = after.map(|(at, id)| (Timestamp::from_millis(at), id));
    let (page, now) = (service.schedules.list_schedules(after, limit).await?, service.clock.now());
    let last = page.items.last().filter(|_| page.more).map(Stored::place);
    let next_cursor = last.map(|(at, id)| cursor::encode(&service.cursor_key, LIST, &(at.millis(), id)));
    let items = page.items.into_iter().map(|schedule| Schedule::of(schedule, now)).collect();
    Ok(web::Json(Schedules { items, next_cursor }))
}

/// One schedule.
#[utoipa::path(
    tag = "jobs",
    operation_id = "getSchedule",
    params(("id" = String, Path, description = "The schedule's id")),
    responses(
        (status = 200, description = "The schedule", body = Schedule),
        (status = 404, description = "`not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        Restricted,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[get("/schedules/{id}")]
pub(super) async fn show(
    _caller: Administrator,
    service: web::Data<WorkerService>,
    request: HttpRequest,
) -> ApiResult<web::Json<Schedule>> {
    let stored = find(&service, &request).await?;
    Ok(web::Json(Schedule::of(stored, service.clock.now())))
}

/// Makes a schedule.
#[utoipa::path(
    tag = "jobs",
    operation_id = "createSchedule",
    request_body = ScheduleRequest,
    responses(
        (status = 201, description = "The schedule", body = Schedule, headers(("Location" = String))),
        (status = 422, description = "`unprocessable`: there are 1000 already", body = ProblemDocument, content_type = "application/problem+json"),
        Restricted,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[post("/schedules")]
pub(super) async fn create(
    caller: Administrator,
    service: web::Data<WorkerService>,
    request: HttpRequest,
    payload: web::Payload,
) -> ApiResult<HttpResponse> {
    let asked: ScheduleRequest = input::json(&request, payload, MOST_BYTES).await?;
    let now = service.clock.now();
    let (paused, spec) = asked.into_spec();
    let next_at = super::schedule_body::next(&spec, paused, now)?;
    if service.schedules.count_schedules().await? >= MAX_SCHEDULES as u64 {
        return Err(Problem::new(Code::Unprocessable).detail("There are 1000 schedules already"));
    }
    let schedule = Stored {
        id: ScheduleId(service.ids.object_id()),
        spec,
        paused,
        next_at,
        last_at: None,
        user: Some(caller.user),
        created_at: now,
        revision: 1,
    };
    service.schedules.create_schedule(&schedule).await?;
    service.bells.ring_scheduler();
    let location = format!("schedules/{}", schedule.id);
    Ok(HttpResponse::Created().insert_header((header::LOCATION, location)).json(Schedule::of(schedule, now)))
}

/// Changes a schedule; pauses it, too. One that goes on after a pause does not make up for it.
#[utoipa::path(
    tag = "jobs",
    operation_id = "changeSchedule",
    params(("id" = String, Path, description = "The schedule's id")),
    request_body = SchedulePatch,
    responses(
        (status = 200, description = "The schedule, as it is now", body = Schedule),
        (status = 404, description = "`not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`conflict`: others change it all the time", body = ProblemDocument, content_type = "application/problem+json"),
        Restricted,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[patch("/schedules/{id}")]
pub(super) async fn change(
    _caller: Administrator,
    service: web::Data<WorkerService>,
    request: HttpRequest,
    payload: web::Payload,
) -> ApiResult<web::Json<Schedule>> {
    let patch: SchedulePatch = input::json(&request, payload, MOST_BYTES).await?;
    for _ in 0..MOST_TRIES {
        let (stored, now) = (find(&service, &request).await?, service.clock.now());
        let changed = patch.apply(stored, now)?;
        match service.schedules.update_schedule(&changed).await {
            Ok(()) => {
                service.bells.ring_scheduler();
                let changed = Stored { revision: changed.revision + 1, ..changed };
                return Ok(web::Json(Schedule::of(changed, now)));
            }
            Err(ChangeScheduleError::NotFound) => return Err(Problem::new(Code::NotFound)),
            // it fired, or somebody else changed it
            Err(ChangeScheduleError::Changed) => {}
            Err(ChangeScheduleError::Port(error)) => return Err(error.into()),
        }
    }
    Err(Problem::new(Code::Conflict))
}

/// Removes a schedule. The jobs that it made stay.
#[utoipa::path(
    tag = "jobs",
    operation_id = "removeSchedule",
    params(("id" = String, Path, description = "The schedule's id")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "`not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        Restricted,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[delete("/schedules/{id}")]
pub(super) async fn remove(
    _caller: Administrator,
    service: web::Data<WorkerService>,
    request: HttpRequest,
) -> ApiResult<HttpResponse> {
    let id: ScheduleId = input::path_id(&request, "id")?;
    if service.schedules.delete_schedule(id).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(Problem::new(Code::NotFound))
    }
}

/// Makes a job of a schedule now, beside those of its times.
#[utoipa::path(
    tag = "jobs",
    operation_id = "runSchedule",
    params(("id" = String, Path, description = "The schedule's id")),
    responses(
        (status = 201, description = "The job", body = ScheduledJob, headers(("Location" = String))),
        (status = 404, description = "`not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`key_taken`: a job of it is live, and it lets no two overlap", body = ProblemDocument, content_type = "application/problem+json"),
        Restricted,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[post("/schedules/{id}/run")]
pub(super) async fn run(
    _caller: Administrator,
    service: web::Data<WorkerService>,
    request: HttpRequest,
) -> ApiResult<HttpResponse> {
    let Stored { id, spec, user, .. } = find(&service, &request).await?;
    let now = service.clock.now();
    let mut job = spec.job(id, user, now, now).caused_by(&cause::current());
    // of no time of the schedule, whose job would be the same one
    job.id = JobId(service.ids.object_id());
    let outcomes = service.store.insert(std::slice::from_ref(&job), now).await?;
    if let Some(InsertOutcome::Taken(holder)) = outcomes.first() {
        return Err(Problem::new(Code::KeyTaken).member("holder", holder.to_string()));
    }
    service.bells.ring(&[job.kind]).await;
    let id = job.id.to_string();
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, format!("../../{id}")))
        .json(ScheduledJob { id }))
}

async fn find(service: &WorkerService, request: &HttpRequest) -> ApiResult<Stored> {
    let id: ScheduleId = input::path_id(request, "id")?;
    service.schedules.find_schedule(id).await?.ok_or_else(|| Problem::new(Code::NotFound))
}
