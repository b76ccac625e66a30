//! What every [`JobStore`] promises.

mod arrival;
mod lists;
mod model;
mod order;
mod results;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use common::jobs::{Backoff, ClaimRequest, Claimed, Failure, Job, JobStore, NewJob, Priority};
use common::{Clock as _, JobId, Timestamp, UserId};
use serde_json::json;

use crate::{TestClock, TestIds};

pub use arrival::*;
pub use lists::*;
pub use model::*;
pub use order::*;
pub use results::*;

const LEASE: Duration = Duration::from_secs(30);
const TTL: Duration = Duration::from_secs(60);

/// A fresh store.
pub struct JobsSubject {
    /// The store.
    pub store: Arc<dyn JobStore>,
    /// Ids.
    pub ids: TestIds,
    /// Time.
    pub clock: TestClock,
    _keep: Box<dyn Any + Send + Sync>,
}

impl JobsSubject {
    /// A subject over an empty store; `keep` lives as long as it does, such as a folder.
    pub fn new(store: Arc<dyn JobStore>, keep: impl Any + Send + Sync) -> Self {
        Self { store, ids: TestIds::new(), clock: TestClock::default(), _keep: Box::new(keep) }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn job(&self, kind: &str) -> NewJob {
        NewJob {
            id: self.ids.next(),
            kind: kind.to_owned(),
            data: json!({"text": "äöü"}),
            priority: Priority::NORMAL,
            user: None,
            max_attempts: 3,
            backoff: Backoff::Fixed { delay_ms: 10_000 },
            ttl_ms: u64::try_from(TTL.as_millis()).expect("a minute fits"),
            run_at: None,
            created_at: self.now(),
            request_id: None,
            trace: None,
        }
    }

    fn job_of(&self, kind: &str, user: UserId) -> NewJob {
        NewJob { user: Some(user), ..self.job(kind) }
    }

    async fn insert(&self, jobs: &[NewJob]) {
        let outcomes = self.store.insert(jobs, self.now()).await.unwrap();
        assert!(outcomes.iter().all(|outcome| *outcome == common::jobs::InsertOutcome::Inserted));
        assert_eq!(outcomes.len(), jobs.len());
    }

    async fn inserted(&self, kind: &str) -> NewJob {
        let job = self.job(kind);
        self.insert(std::slice::from_ref(&job)).await;
        job
    }

    async fn claim(&self, types: &[&str], max: u32) -> Vec<Claimed> {
        let request = ClaimRequest {
            types: types.iter().map(|kind| (*kind).to_owned()).collect(),
            worker: "worker 1".to_owned(),
            max,
            lease: LEASE,
        };
        self.store.claim(&request, self.now()).await.unwrap()
    }

    async fn claim_one(&self, kind: &str) -> Claimed {
        let mut claimed = self.claim(&[kind], 1).await;
        assert_eq!(claimed.len(), 1, "there is a job of type {kind} to claim");
        claimed.remove(0)
    }

    async fn get(&self, id: JobId) -> Job {
        self.store.find(id).await.unwrap().expect("the job is there")
    }
}

fn failure(retryable: bool) -> Failure {
    Failure { error: "it broke".to_owned(), retryable, jitter_percent: 0 }
}

/// Makes a test of each check, for the adapter that `$make` opens: an async function that returns a [`JobsSubject`].
#[macro_export]
macro_rules! job_store_suite {
    ($make:expr) => {
        $crate::suite!(
            $make,
            job_store,
            [
                a_job_is_found_as_it_was_inserted,
                inserting_again_changes_nothing,
                of_simultaneous_insertions_one_counts,
                numbers_follow_the_array,
                a_delayed_job_waits_for_its_time,
                two_promoters_promote_each_job_once,
                a_removed_job_stays_known,
                finished_jobs_are_removed_in_steps,
                the_log_keeps_the_last_lines,
                the_job_store_answers_a_ping,
                claims_follow_priority_then_number,
                the_user_with_the_fewest_active_jobs_is_next,
                jobs_of_nobody_count_as_one_user,
                claims_bring_only_what_was_asked_for,
                a_claim_makes_a_job_active,
                no_job_is_claimed_twice,
                a_heartbeat_renews_the_lease,
                progress_renews_the_time_to_live,
                a_completed_job_keeps_its_result,
                a_failed_attempt_comes_back_after_its_backoff,
                the_last_attempt_and_a_permanent_failure_are_final,
                a_job_given_back_was_never_tried,
                a_lost_lease_takes_no_result,
                a_job_whose_lease_ended_goes_elsewhere,
                a_job_whose_time_ended_fails,
                two_reapers_take_each_job_once,
                a_dead_job_is_tried_again_from_its_first_attempt,
                jobs_are_listed_newest_first_in_pages,
                counts_are_by_state_and_user,
                random_work_agrees_with_a_model,
                a_long_queue_of_many_users_is_worked_in_order,
            ]
        );
    };
}
