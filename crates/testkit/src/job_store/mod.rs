//! What every [`JobStore`] promises.

mod arrival;
mod changes;
mod events;
mod keys;
mod lists;
mod model;
mod order;
mod results;
mod schedules;
mod types;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use common::jobs::{
    Backoff, ChangeJobError, ClaimRequest, Claimed, Failure, Job, JobAdmin, JobChange, JobEvents, JobState,
    JobStore, NewJob, ScheduleStore,
};
use common::{Clock as _, JobId, Timestamp, UserId};
use serde_json::json;

use crate::{TestClock, TestIds};

pub use arrival::*;
pub use changes::*;
pub use events::*;
pub use keys::*;
pub use lists::*;
pub use model::*;
pub use order::*;
pub use results::*;
pub use schedules::*;
pub use types::*;

const LEASE: Duration = Duration::from_secs(30);
const TTL: Duration = Duration::from_secs(60);

/// A fresh store.
pub struct JobsSubject {
    /// The store.
    pub store: Arc<dyn JobStore>,
    /// The same, for people.
    pub admin: Arc<dyn JobAdmin>,
    /// What it tells.
    pub events: Arc<dyn JobEvents>,
    /// Its schedules.
    pub schedules: Arc<dyn ScheduleStore>,
    /// Ids.
    pub ids: TestIds,
    /// Time.
    pub clock: TestClock,
    _keep: Box<dyn Any + Send + Sync>,
}

impl JobsSubject {
    /// A subject over an empty store; `keep` lives as long as it does, such as a folder.
    pub fn new<S>(store: Arc<S>, keep: impl Any + Send + Sync) -> Self
    where
        S: JobStore + JobAdmin + JobEvents + ScheduleStore + 'static,
    {
        Self {
            store: store.clone(),
            admin: store.clone(),
            events: store.clone(),
            schedules: store,
            ids: TestIds::new(),
            clock: TestClock::default(),
            _keep: Box::new(keep),
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn job(&self, kind: &str) -> NewJob {
        NewJob {
            max_attempts: 3,
            backoff: Backoff::Fixed { delay_ms: 10_000 },
            ttl_ms: u64::try_from(TTL.as_millis()).expect("a minute fits"),
            ..NewJob::new(self.ids.next(), kind, json!({"text": "äöü"}), self.now())
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
        self.store.claim(&request, self.now()).await.unwrap().jobs
    }

    async fn claim_one(&self, kind: &str) -> Claimed {
        let mut claimed = self.claim(&[kind], 1).await;
        assert_eq!(claimed.len(), 1, "there is a job of type {kind} to claim");
        claimed.remove(0)
    }

    async fn change(&self, id: JobId, change: JobChange) -> Result<Job, ChangeJobError> {
        self.admin.change(id, change, self.now()).await
    }

    async fn removed(&self, state: JobState, before: Timestamp, limit: u32) -> u32 {
        self.store.remove_finished(state, before, limit, self.now()).await.unwrap()
    }

    async fn complete(&self, claimed: &Claimed) {
        self.store.complete(claimed.holder, None, self.now()).await.unwrap();
    }

    async fn get(&self, id: JobId) -> Job {
        self.store.find(id).await.unwrap().expect("the job is there")
    }
}

fn failure(retryable: bool) -> Failure {
    Failure { error: "it broke".to_owned(), retryable, jitter_percent: 0, not_before: None, uncounted: false }
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
                a_job_that_leaves_the_line_leaves_no_gap,
                the_user_with_the_fewest_active_jobs_is_next,
                jobs_of_other_types_do_not_count_against_a_user,
                users_take_turns_at_a_single_worker,
                whoever_was_served_waits_for_the_others,
                many_who_were_served_wait_for_one_who_was_not,
                that_somebody_was_served_is_forgotten_in_time,
                jobs_of_nobody_count_as_one_user,
                claims_bring_only_what_was_asked_for,
                a_claim_makes_a_job_active,
                no_job_is_claimed_twice,
                a_heartbeat_renews_the_lease,
                progress_renews_the_time_to_live,
                a_completed_job_keeps_its_result,
                ends_stand_for_themselves_and_make_room_for_a_claim,
                a_failed_attempt_comes_back_after_its_backoff,
                of_many_failures_the_latest_are_kept,
                a_failure_may_put_the_next_attempt_off,
                an_attempt_that_is_not_counted_is_made_again,
                the_last_attempt_and_a_permanent_failure_are_final,
                a_job_given_back_was_never_tried,
                a_lost_lease_takes_no_result,
                a_job_whose_lease_ended_goes_elsewhere,
                a_job_whose_time_ended_fails,
                two_reapers_take_each_job_once,
                a_progress_carries_data,
                a_job_that_is_removed_on_completion_goes_then,
                a_key_belongs_to_one_live_job,
                of_simultaneous_jobs_with_one_key_one_is_inserted,
                a_key_is_free_when_its_job_has_ended,
                another_priority_is_another_place_in_the_line,
                a_delayed_job_can_be_promoted,
                a_live_job_can_be_cancelled,
                whoever_works_a_cancelled_job_loses_it,
                what_is_worked_is_not_called_off_as_what_waits,
                a_dead_job_is_tried_again_from_its_first_attempt,
                a_job_that_is_not_active_can_be_removed,
                of_two_changes_that_exclude_one_another_one_succeeds,
                dead_jobs_are_retried_in_steps,
                a_paused_type_waits,
                everything_can_be_paused,
                a_limit_lets_so_many_begin,
                a_limit_holds_for_claims_at_the_same_time,
                types_say_what_they_have_and_do,
                what_ended_is_counted_by_the_minute,
                every_change_is_told,
                events_come_in_pages_and_by_filter,
                forgotten_events_leave_a_gap,
                a_refused_change_is_not_told,
                events_that_happen_at_the_same_time_have_one_order,
                a_schedule_is_kept_and_changed_by_revision,
                due_schedules_come_the_longest_due_first,
                a_page_of_schedules_ends_where_it_would_be_huge,
                a_schedule_says_the_last_time_that_got_a_job,
                a_schedule_fires_once_however_many_fire,
                a_schedule_whose_job_still_lives_makes_no_other,
                jobs_are_listed_in_pages_of_both_orders,
                a_page_of_large_jobs_ends_early,
                jobs_are_found_by_their_words,
                jobs_are_listed_by_the_time_of_their_arrival,
                counts_are_by_state_and_user,
                depths_are_exact_for_live_jobs,
                random_work_agrees_with_a_model,
                a_long_queue_of_many_users_is_worked_in_order,
            ]
        );
    };
}
