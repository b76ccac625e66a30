//! Claims of this process that nobody works. Without this such a job waits for the end of its lease.

use common::jobs::{JobState, LeaseHolder, LostLease};
use common::{JobId, PortResult, Timestamp};
use futures_util::TryStreamExt as _;
use mongodb::bson::doc;
use mongodb::bson::oid::ObjectId;
use serde::Deserialize;

use super::doc::state_number;
use super::schema::JOBS;
use super::work;
use crate::engine::{Astray, Attempt, Engine, Fault};
use crate::value::{ToOid as _, id, int};

/// A claim that was asked for.
#[derive(Debug)]
pub(super) struct Claim {
    job: JobId,
    kind: String,
    /// Of the lease: what only this claim writes into the job.
    pub(super) mark: u64,
    lease_until: Timestamp,
}

impl Claim {
    pub(super) fn new(job: JobId, kind: &str, lease_until: Timestamp) -> Self {
        let mark = rand::random_range(LeaseHolder::MARKS);
        Self { job, kind: kind.to_owned(), mark, lease_until }
    }
}

/// A job as far as it matters here.
#[derive(Deserialize)]
struct Held {
    #[serde(rename = "_id")]
    id: ObjectId,
    #[serde(rename = "generation")]
    mark: u64,
}

/// Gives jobs of these types back that were claimed without anybody's knowing. What does not show yet may still be on its way, and is looked for until its
/// lease would have ended.
///
/// # Errors
/// `Unavailable`; what was not given back is tried again the next time.
pub(super) async fn bring_back(
    engine: &Engine,
    astray: &Astray<Claim>,
    types: &[String],
    now: Timestamp,
) -> PortResult<()> {
    let mut claims = astray.take(|claim| claim.lease_until <= now, |claim| types.contains(&claim.kind));
    if claims.is_empty() {
        return Ok(());
    }
    for Held { id: job, mark } in engine.run(find(engine, &claims)).await? {
        let holder = LeaseHolder { job: id(job), mark };
        match work::give_back(engine, holder, now).await {
            Ok(()) | Err(LostLease::Lost) => {
                claims.extract_if(.., |known| known.mark == mark).for_each(Attempt::settle);
            }
            Err(LostLease::Port(error)) => return Err(error),
        }
    }
    Ok(())
}

/// The jobs that these claims have taken.
async fn find(engine: &Engine, claims: &[Attempt<'_, Claim>]) -> Result<Vec<Held>, Fault> {
    let marks: Vec<i64> = claims.iter().map(|claim| int(claim.mark)).collect();
    let ids: Vec<ObjectId> = claims.iter().map(|claim| claim.job.oid()).collect();
    let taken = doc! {
        "_id": { "$in": ids }, "generation": { "$in": marks }, "state": state_number(JobState::Active),
    };
    let jobs = engine.collection::<Held>(JOBS);
    Ok(jobs.find(taken).projection(doc! { "generation": 1 }).await?.try_collect().await?)
}
