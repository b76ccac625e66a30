//! Making jobs.

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, post, web};
use common::jobs::{Backoff, Cause, InsertOutcome, NewJob, types};
use common::{Code, JobId, Timestamp, UserId};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Problem, cause, input};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::access::Administrator;
use super::answers::{MOST_BYTES, Restricted, wrong};
use super::body::{JobPriority, PriorityBody, member_of};
use super::view::JobBackoff;
use crate::WorkerService;

/// Most jobs in one request.
const MOST_JOBS: usize = 1000;

/// A job to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct JobRequest {
    /// Its id, if the request shall be safe to repeat: 24 hexadecimal digits that nobody else uses.
    #[schema(value_type = Option<String>)]
    id: Option<JobId>,
    /// What handles it: 1 to 100 bytes.
    #[serde(rename = "type")]
    kind: String,
    /// What it is about: at most 256 KiB.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    data: Value,
    /// How urgent it is.
    #[schema(value_type = Option<JobPriority>)]
    priority: Option<PriorityBody>,
    /// How long it waits before it is ready, in milliseconds; or `promoteAt`.
    delay_ms: Option<u64>,
    /// When it becomes ready; or `delayMs`.
    #[schema(value_type = Option<String>, format = DateTime)]
    promote_at: Option<Timestamp>,
    /// How often it may be tried, 1 to 1000. Default 1.
    #[schema(minimum = 1, maximum = 1000)]
    attempts: Option<u32>,
    /// How long it waits between attempts. Default: not at all.
    #[schema(value_type = Option<JobBackoff>)]
    backoff: Option<Backoff>,
    /// Longest time that an attempt may be active without progress, in milliseconds. Default an hour.
    #[schema(minimum = 1)]
    ttl_ms: Option<u64>,
    /// No two live jobs have the same one: 1 to 200 bytes.
    unique_key: Option<String>,
    /// It is removed when it is complete.
    #[serde(default)]
    remove_on_complete: bool,
    /// Whose it is.
    #[schema(value_type = Option<String>)]
    user_id: Option<UserId>,
}

/// One job or several.
enum Jobs {
    One(Box<JobRequest>),
    Several(Vec<JobRequest>),
}

/// One job, or up to 1,000.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "documents `Jobs`")]
pub(super) enum JobRequests {
    One(JobRequest),
    Several(Vec<JobRequest>),
}

impl<'de> Deserialize<'de> for Jobs {
    /// By the form of the text, so that faults keep their place.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Jobs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a job or an array of jobs")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Jobs, A::Error> {
                JobRequest::deserialize(MapAccessDeserializer::new(map)).map(|job| Jobs::One(Box::new(job)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Jobs, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Jobs::Several)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// What became of a job to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = JobOutcome)]
pub(super) enum Outcome {
    /// It is there now.
    Inserted,
    /// It was there before, or had been within the last day: nothing changed.
    Known,
    /// `holder` is live and has its unique key: nothing changed.
    Taken,
}

/// A job that was to be made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CreatedJob)]
pub(super) struct Created {
    /// Its id.
    id: String,
    /// What became of it.
    outcome: Outcome,
    /// The job that has its unique key, where it is taken.
    #[schema(required)]
    holder: Option<String>,
}

/// One of several jobs that were to be made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CreatedJobOfSeveral)]
pub(super) struct CreatedOfSeveral {
    /// Its id.
    id: String,
    /// What became of it.
    outcome: Outcome,
    /// The job that has its unique key, where it is taken.
    #[schema(required)]
    holder: Option<String>,
    /// The status that the call for this one job would have had: 201, 200 where it is known, 409 where its key is taken.
    status: u16,
    /// The error code; null if it is there.
    #[schema(required)]
    code: Option<&'static str>,
}

impl From<Created> for CreatedOfSeveral {
    fn from(made: Created) -> Self {
        let Created { id, outcome, holder } = made;
        let (status, code) = match outcome {
            Outcome::Inserted => (StatusCode::CREATED, None),
            Outcome::Known => (StatusCode::OK, None),
            Outcome::Taken => (StatusCode::CONFLICT, Some(Code::KeyTaken.word())),
        };
        Self { id, outcome, holder, status: status.as_u16(), code }
    }
}

/// Jobs that were to be made, in the order of the request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CreatedJobs)]
pub(super) struct CreatedJobs {
    items: Vec<CreatedOfSeveral>,
}

impl JobRequest {
    /// The job; or the member at fault, and what is wrong with it.
    fn into_job(self, fresh: JobId, now: Timestamp, cause: &Cause) -> Result<NewJob, (&'static str, String)> {
        let run_at = match (self.delay_ms, self.promote_at) {
            (None, at) => at,
            (Some(delay), None) if delay <= NewJob::MAX_MS => Some(now + Duration::from_millis(delay)),
            (Some(_), None) => return Err(("delayMs", "a delay is at most ten years".to_owned())),
            (Some(_), Some(_)) => return Err(("delayMs", "either delayMs or promoteAt".to_owned())),
        };
        if self.unique_key.as_deref().is_some_and(types::is_key_of_the_product) {
            return Err(("uniqueKey", "the product uses this key itself".to_owned()));
        }
        let job = NewJob {
            priority: self.priority.map(|priority| priority.0).unwrap_or_default(),
            user: self.user_id,
            max_attempts: self.attempts.unwrap_or(1),
            backoff: self.backoff.unwrap_or(Backoff::None),
            ttl_ms: self.ttl_ms.unwrap_or(NewJob::USUAL_TTL_MS),
            run_at,
            unique_key: self.unique_key,
            remove_on_complete: self.remove_on_complete,
            ..NewJob::new(self.id.unwrap_or(fresh), self.kind, self.data, now)
        }
        .caused_by(cause);
        job.check().map_err(|error| (member_of(error), error.to_string()))?;
        Ok(job)
    }
}

/// Makes a job, or up to 1,000. They are durable when the answer comes. With `id` a request is safe to repeat.
#[utoipa::path(
    tag = "jobs",
    operation_id = "createJobs",
    request_body = JobRequests,
    responses(
        (status = 201, description = "The job, or what became of each of them (then `CreatedJobs`)", body = Created, headers(("Location" = String))),
        (status = 200, description = "A job of this id had been made before", body = Created),
        (status = 207, description = "Some or all jobs of an array were not made, since their keys are taken: `status` and `code` of each say so", body = CreatedJobs),
        (status = 409, description = "`key_taken` by `holder`, where one job is to be made", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "`too_large`", body = ProblemDocument, content_type = "application/problem+json"),
        Restricted,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[post("")]
pub(super) async fn create(
    _caller: Administrator,
    service: web::Data<WorkerService>,
    request: HttpRequest,
    payload: web::Payload,
) -> ApiResult<HttpResponse> {
    match input::json(&request, payload, MOST_BYTES).await? {
        Jobs::One(asked) => {
            let job = checked(&service, vec![*asked], |_, member| format!("/{member}"))?;
            let made = insert(&service, job).await?.into_iter().next();
            one(made.ok_or_else(|| Problem::new(Code::Internal))?)
        }
        Jobs::Several(asked) => {
            if asked.is_empty() || asked.len() > MOST_JOBS {
                return Err(wrong("", "an array has 1 to 1000 jobs"));
            }
            let jobs = checked(&service, asked, |index, member| format!("/{index}/{member}"))?;
            let made = insert(&service, jobs).await?;
            let items: Vec<_> = made.into_iter().map(CreatedOfSeveral::from).collect();
            let status = if items.iter().all(|made| made.code.is_none()) {
                StatusCode::CREATED
            } else {
                StatusCode::MULTI_STATUS
            };
            Ok(HttpResponse::build(status).json(CreatedJobs { items }))
        }
    }
}

fn one(made: Created) -> ApiResult<HttpResponse> {
    let status = match made.outcome {
        Outcome::Inserted => StatusCode::CREATED,
        Outcome::Known => StatusCode::OK,
        Outcome::Taken => return Err(Problem::new(Code::KeyTaken).member("holder", made.holder)),
    };
    // relative, so that it is right below a path of a host as well
    let location = format!("jobs/{}", made.id);
    Ok(HttpResponse::build(status).insert_header((header::LOCATION, location)).json(made))
}

/// All of them, or what is wrong with any.
fn checked(
    service: &WorkerService,
    asked: Vec<JobRequest>,
    pointer: impl Fn(usize, &str) -> String,
) -> ApiResult<Vec<NewJob>> {
    let (now, cause) = (service.clock.now(), cause::current());
    let mut problem = Problem::new(Code::InvalidRequest);
    let mut jobs = Vec::with_capacity(asked.len());
    for (index, asked) in asked.into_iter().enumerate() {
        match asked.into_job(JobId(service.ids.object_id()), now, &cause) {
            Ok(job) => jobs.push(job),
            Err((member, detail)) => problem = problem.field(pointer(index, member), "invalid", detail),
        }
    }
    match problem.errors().first() {
        None => Ok(jobs),
        Some(first) => {
            let detail = format!("{}: {}", first.pointer, first.detail);
            Err(problem.detail(detail))
        }
    }
}

async fn insert(service: &WorkerService, jobs: Vec<NewJob>) -> ApiResult<Vec<Created>> {
    let outcomes = service.store.insert(&jobs, service.clock.now()).await?;
    service.bells.ring_new(&jobs).await;
    let made = jobs.iter().zip(outcomes).map(|(job, outcome)| {
        let (outcome, holder) = match outcome {
            InsertOutcome::Inserted => (Outcome::Inserted, None),
            InsertOutcome::Known => (Outcome::Known, None),
            InsertOutcome::Taken(holder) => (Outcome::Taken, Some(holder.to_string())),
        };
        Created { id: job.id.to_string(), outcome, holder }
    });
    Ok(made.collect())
}
