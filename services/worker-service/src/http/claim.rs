//! Claims of programs.

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::{FromRequest as _, HttpRequest, post, web};
use common::auth::{Principal, Scope};
use common::jobs::{ClaimRequest, Claimed as StoredClaim, Claims, types};
use common::{BlobKey, FileId, Timestamp, UserId};
use http_kit::problem::ProblemDocument;
use http_kit::ticket::{LIFETIME, Ticket};
use http_kit::{ApiResult, input, presence};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::access::Worker;
use super::answers::{MOST_BYTES, Restricted, wrong};
use super::kinds::is_kind;
use super::view::Job;
use crate::WorkerService;
use crate::claims::lease_token;

/// Most types of one claim.
const MOST_TYPES: usize = 50;
/// Most jobs of one claim.
const MOST_JOBS: u32 = 100;
/// Longest name of a worker, in bytes.
const MAX_WORKER_BYTES: usize = 100;
/// Leases: from a second to an hour.
const LEASES_MS: std::ops::RangeInclusive<u64> = 1000..=3_600_000;
/// A lease where none is named.
const USUAL_LEASE_MS: u64 = 30_000;
/// Longest wait.
const MAX_WAIT_MS: u64 = 60_000;

/// What a program asks for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct JobClaim {
    /// Types that it can work, 1 to 50. Those that the product works itself are not to be had.
    types: Vec<String>,
    /// Its name, for people: 1 to 100 bytes.
    worker_id: String,
    /// At most so many, 1 to 100. Default 1.
    #[schema(minimum = 1, maximum = 100)]
    max: Option<u32>,
    /// How long it may be silent, from 1,000 to 3,600,000 milliseconds. Default 30,000.
    #[schema(minimum = 1000, maximum = 3_600_000)]
    lease_ms: Option<u64>,
    /// How long to wait if there is nothing, up to 60,000 milliseconds. Default: not at all.
    #[schema(maximum = 60_000)]
    wait_ms: Option<u64>,
}

/// Jobs that were claimed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClaimedJobs {
    /// The jobs; none if there was nothing.
    items: Vec<ClaimedJob>,
    /// When a rate limit lets more through, if one held a job back.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    again_at: Option<Timestamp>,
}

/// A job that was claimed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClaimedJob {
    /// The job.
    job: Job,
    /// What everything that is reported of it must carry.
    lease: String,
    /// When the lease ends, unless a heartbeat renews it.
    #[schema(value_type = String, format = DateTime)]
    lease_until: Timestamp,
    /// Where the content can be read of the file that `data.fileId` names, relative to the server's address; for an hour, without a credential. It opens
    /// what the claiming account may read, and is null for a token without `files:read` or for one folder.
    #[schema(required)]
    content_url: Option<String>,
}

/// Claims jobs of types that programs work. Waits for one if there is none. Who leaves while it waits gets nothing.
#[utoipa::path(
    tag = "jobs",
    operation_id = "claimJobs",
    request_body = JobClaim,
    responses(
        (status = 200, description = "Jobs, or none", body = ClaimedJobs),
        (status = 413, description = "`too_large`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`rate_limited`: as many claims of the account wait already as may (`FM_CLAIMS__WAITING_OF_ONE`, 50 unless it is set)", body = ProblemDocument, content_type = "application/problem+json"),
        Restricted,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[post("/claim")]
pub(super) async fn claim(
    caller: Worker,
    service: web::Data<WorkerService>,
    request: HttpRequest,
    payload: web::Payload,
) -> ApiResult<web::Json<ClaimedJobs>> {
    let asked: JobClaim = input::json(&request, payload, MOST_BYTES).await?;
    let wait = Duration::from_millis(asked.wait_ms.unwrap_or(0));
    let wanted = asked.checked("")?;
    let is_there = || presence::is_there(&request);
    let is_allowed = async || match Worker::from_request(&request, &mut Payload::None).await {
        Ok(_) => true,
        // where nobody can say, it is
        Err(error) => error.as_response_error().status_code().is_server_error(),
    };
    let claims = service.claim_for_program(caller.user, &wanted, wait, is_there, is_allowed).await?;
    Ok(web::Json(ClaimedJobs::of(&service, claims, wanted.lease, &caller)))
}

impl ClaimedJobs {
    /// As the program reads it that claimed them for so long.
    pub(super) fn of(service: &WorkerService, claims: Claims, lease: Duration, caller: &Principal) -> Self {
        let items = claims.jobs.into_iter().map(|claimed| shown(service, claimed, lease, caller)).collect();
        Self { items, again_at: claims.again_at }
    }
}

impl JobClaim {
    /// Whether it asks to wait.
    pub(super) fn waits(&self) -> bool {
        self.wait_ms.is_some_and(|wait| wait > 0)
    }

    /// `at` is where it stands in the body: nothing, or the pointer of a member.
    pub(super) fn checked(self, at: &str) -> ApiResult<ClaimRequest> {
        let wrong = |pointer: &str, detail: &str| wrong(&format!("{at}{pointer}"), detail);
        if !(1..=MOST_TYPES).contains(&self.types.len()) {
            return Err(wrong("/types", "a claim names 1 to 50 types"));
        }
        for (index, kind) in self.types.iter().enumerate() {
            if !is_kind(kind) {
                return Err(wrong(&format!("/types/{index}"), "a type has 1 to 100 bytes"));
            }
            if types::BUILT_IN.contains(&&**kind) {
                return Err(wrong(
                    &format!("/types/{index}"),
                    "jobs of this type are worked by the product itself",
                ));
            }
        }
        if !(1..=MAX_WORKER_BYTES).contains(&self.worker_id.len())
            || self.worker_id.chars().any(char::is_control)
        {
            return Err(wrong("/workerId", "a worker's name has 1 to 100 bytes, and no control characters"));
        }
        let max = self.max.unwrap_or(1);
        if !(1..=MOST_JOBS).contains(&max) {
            return Err(wrong("/max", "max must be from 1 to 100"));
        }
        if self.wait_ms.is_some_and(|wait| wait > MAX_WAIT_MS) {
            return Err(wrong("/waitMs", "waitMs must be at most 60000"));
        }
        let lease = lease(self.lease_ms, &format!("{at}/leaseMs"))?;
        Ok(ClaimRequest { types: self.types, worker: self.worker_id, max, lease })
    }
}

/// How long a program may be silent where it does not say it.
pub(super) const USUAL_LEASE: Duration = Duration::from_millis(USUAL_LEASE_MS);

/// How long a program may be silent.
pub(super) fn lease(asked_ms: Option<u64>, pointer: &str) -> ApiResult<Duration> {
    let millis = asked_ms.unwrap_or(USUAL_LEASE_MS);
    if LEASES_MS.contains(&millis) {
        Ok(Duration::from_millis(millis))
    } else {
        Err(wrong(pointer, "leaseMs must be from 1000 to 3600000"))
    }
}

fn shown(service: &WorkerService, claimed: StoredClaim, lease: Duration, caller: &Principal) -> ClaimedJob {
    let StoredClaim { job, holder, lease_until } = claimed;
    // only what the worker's account may read anyway: whoever may make jobs, in whosever name, must not read all files by them
    let may_read = caller.scopes.contains(Scope::FilesRead) && caller.folder.is_none();
    let content_url = may_read
        .then(|| content_of(&job.spec.data, caller.user, service.clock.now() + LIFETIME))
        .flatten()
        .map(|ticket| service.ticket_key.content_path(&ticket));
    let lease = lease_token(&service.lease_key, holder, lease, caller.user);
    ClaimedJob { job: job.into(), lease, lease_until, content_url }
}

/// The content that a job is about, as far as this person may read it.
fn content_of(data: &Value, reader: UserId, expires_at: Timestamp) -> Option<Ticket> {
    let text = |name: &str| data.get(name).and_then(Value::as_str);
    let file = FileId::parse(text("fileId")?).ok()?;
    let blob = text("blob").and_then(|text| BlobKey::parse(text).ok());
    Some(Ticket { file, blob, user: Some(reader), expires_at })
}
