//! Jobs for programs that work them over HTTP: claims that wait, and the leases that they bring.

use std::time::Duration;

use common::jobs::{ClaimRequest, Claimed, Claims, LeaseHolder};
use common::{Code, JobId, UserId, allowance};
use http_kit::cursor::{self, CursorKey};
use http_kit::{ApiResult, Problem};
use metrics::counter;
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::WorkerService;
use crate::waiting::NoPlace;

/// How often it is looked whether the program still waits.
const LOOK_FOR_CLIENT: Duration = Duration::from_secs(1);
/// Shortest wait for a rate limit.
const SHORTEST_LOOK: Duration = Duration::from_millis(5);

/// What the text says by which a program shows that it holds a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lease {
    /// Which claim of which job.
    pub(crate) holder: LeaseHolder,
    /// How long the program said at the claim that it may be silent; none in texts that older versions made.
    pub(crate) span: Option<Duration>,
}

/// What stands in the text: the mark of the claim, and the milliseconds of the lease.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Whole(u64, u64),
    Mark(u64),
}

/// Makes the text by which a program shows that it holds a job for `span`, until a heartbeat renews that. It is good for its account only.
pub(crate) fn lease_token(key: &CursorKey, holder: LeaseHolder, span: Duration, user: UserId) -> String {
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    cursor::sign(key, &subject(holder.job, user), &(holder.mark, millis))
}

/// Reads such a text.
///
/// # Errors
/// `forbidden` for one that was not made for this job and this account.
pub(crate) fn lease_of(key: &CursorKey, job: JobId, user: UserId, token: &str) -> ApiResult<Lease> {
    let written = cursor::verify(key, &subject(job, user), token)
        .map_err(|_| Problem::new(Code::Forbidden).detail("The lease is not one of this job and account"))?;
    let (mark, span) = match written {
        Written::Whole(mark, millis) => (mark, Some(Duration::from_millis(millis))),
        Written::Mark(mark) => (mark, None),
    };
    Ok(Lease { holder: LeaseHolder { job, mark }, span })
}

fn subject(job: JobId, user: UserId) -> String {
    format!("lease/{job}/{user}")
}

impl WorkerService {
    /// Claims jobs, and waits up to `wait` for the first if there are none. `is_there` says whether the caller still is, and `is_allowed` whether its
    /// credential is still good: for one that has gone nothing is claimed, and what was claimed meanwhile is given back.
    ///
    /// # Errors
    /// `rate_limited` when too many of this account wait already, `unavailable` when too many wait in all, or the store does not answer.
    pub(crate) async fn claim_for_program(
        &self,
        user: UserId,
        request: &ClaimRequest,
        wait: Duration,
        is_there: impl Fn() -> bool,
        is_allowed: impl AsyncFn() -> bool,
    ) -> ApiResult<Claims> {
        // before the first look: what comes after it rings
        let mut rings = self.bells.rings();
        let until = Instant::now() + wait;
        let mut place = None;
        loop {
            if self.closing.is_cancelled() || !is_there() {
                return Ok(Claims::default());
            }
            // whoever waits for a job is kept waiting by nothing else
            allowance::renew();
            let claims = self.store.claim(request, self.clock.now()).await?;
            if !claims.jobs.is_empty() {
                // what was allowed before the wait may not be any more
                let takes = is_there() && (place.is_none() || is_allowed().await);
                return Ok(self.handed_over(claims, takes).await);
            }
            if Instant::now() >= until {
                return Ok(claims);
            }
            if place.is_none() {
                place = Some(self.waiting_claims.enter(user).map_err(|reason| {
                    let problem = match reason {
                        NoPlace::Own => Problem::new(Code::RateLimited)
                            .detail("Too many claims of this account are waiting: one claim can ask for several types and jobs"),
                        NoPlace::Full => Problem::new(Code::Unavailable).detail("Too many claims are waiting"),
                    };
                    problem.retry_after(LOOK_FOR_CLIENT)
                })?);
            }
            let again = claims.again_at.map_or(self.settings.look_around, |at| {
                at.since(self.clock.now()).clamp(SHORTEST_LOOK, self.settings.look_around.max(SHORTEST_LOOK))
            });
            let look = (Instant::now() + again).min(until);
            tokio::select! {
                () = heard(&mut rings, &request.types, look, &is_there) => {}
                () = self.closing.cancelled() => {}
            }
        }
    }

    /// Claims that are on their way to a program, or given back where it does not take them.
    pub(crate) async fn handed_over(&self, claims: Claims, takes: bool) -> Claims {
        self.bells.changed();
        if takes {
            for jobs in claims.jobs.chunk_by(|one, next| one.job.spec.kind == next.job.spec.kind) {
                let kind = jobs[0].job.spec.kind.clone();
                counter!("fm_jobs_claimed_by_programs_total", "type" => kind).increment(jobs.len() as u64);
            }
            return claims;
        }
        for Claimed { job, holder, .. } in claims.jobs {
            // one try: what is not given back comes free when its lease ends
            if let Err(error) = self.store.give_back(holder, self.clock.now()).await {
                tracing::warn!(job = %holder.job, cause = %common::Causes(&error), "cannot give a job back");
            }
            self.bells.ring(&[job.spec.kind]).await;
        }
        Claims::default()
    }

    /// Rings for all types, after a change to all of them. The change is done: where the types cannot be read, workers find out when they look by themselves.
    pub(crate) async fn ring_all(&self) {
        match self.admin.type_names().await {
            Ok(kinds) => self.bells.ring(&kinds).await,
            Err(error) => {
                tracing::warn!(cause = %common::Causes(&error), "cannot ring for all types of jobs");
                self.bells.changed();
            }
        }
    }
}

/// Waits for a ring for one of the types, at most until `look`, and no longer than the caller waits.
async fn heard(
    rings: &mut tokio::sync::broadcast::Receiver<std::sync::Arc<str>>,
    types: &[String],
    look: Instant,
    is_there: &impl Fn() -> bool,
) {
    let mut next_check = Instant::now() + LOOK_FOR_CLIENT;
    loop {
        match timeout_at(look.min(next_check), rings.recv()).await {
            Ok(Ok(kind)) if types.iter().any(|wanted| **wanted == *kind) => return,
            Ok(Ok(_)) => {}
            Ok(Err(RecvError::Lagged(_))) => return,
            // the bells live as long as the service
            Ok(Err(RecvError::Closed)) => return sleep_until(look).await,
            Err(_) if Instant::now() >= look || !is_there() => return,
            Err(_) => next_check = Instant::now() + LOOK_FOR_CLIENT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_good_for_its_job_and_account() {
        let key = CursorKey::new(&[1; 32]);
        let id = |byte| JobId::from_bytes([byte; 12]);
        let (ann, bea) = (UserId::from_bytes([1; 12]), UserId::from_bytes([2; 12]));
        let holder = LeaseHolder { job: id(7), mark: 3 };
        let span = Duration::from_secs(300);
        let token = lease_token(&key, holder, span, ann);
        assert_eq!(lease_of(&key, id(7), ann, &token).unwrap(), Lease { holder, span: Some(span) });
        let older = cursor::sign(&key, &subject(id(7), ann), &holder.mark);
        assert_eq!(lease_of(&key, id(7), ann, &older).unwrap(), Lease { holder, span: None });
        for (key, job, user, token) in [
            (&key, id(8), ann, &*token),
            (&key, id(7), bea, &*token),
            (&CursorKey::new(&[2; 32]), id(7), ann, &*token),
            (&key, id(7), ann, ""),
            (&key, id(7), ann, "AAAA"),
        ] {
            assert_eq!(lease_of(key, job, user, token).unwrap_err().code(), Code::Forbidden);
        }
    }
}
