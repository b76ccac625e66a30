//! The ports, each call one transaction of the writer or one of a reader.

use std::time::Duration;

use async_trait::async_trait;
use common::jobs::{
    AttemptEnd, ChangeJobError, ChangeScheduleError, ClaimRequest, Claims, Ended, Ending, EndsTaken,
    FailOutcome, Failure, InsertOutcome, Job, JobAdmin, JobChange, JobCounts, JobEventFilter, JobEventPage,
    JobEvents, JobFilter, JobMinute, JobOrder, JobPage, JobState, JobStore, JobTypes, LeaseHolder, LostLease,
    NewJob, RetriedDead, Schedule, SchedulePage, SchedulePlace, ScheduleStore, TypeLimit, TypeUse,
};
use common::{JobId, PortResult, ScheduleId, Timestamp, UserId, idempotency};
use serde_json::Value;

use super::moves::Moves;
use super::{
    JobsDb, arrive, claim, ending, events, history, job, list, manage, remove, schedules, texts, types, work,
};
use crate::engine::Durability;

impl JobsDb {
    /// In one commit.
    async fn end_and_claim(
        &self,
        ends: &[AttemptEnd],
        claim: Option<&ClaimRequest>,
        now: Timestamp,
    ) -> PortResult<EndsTaken> {
        let (ends, claim) = (ends.to_vec(), claim.cloned());
        self.write(Durability::Durable, move |tx| {
            let mut moves = Moves::new(tx);
            let ended = ending::end(tx, &ends, now, &mut moves)?;
            let claims = match &claim {
                Some(request) => claim::claim(tx, request, now, &mut moves)?,
                None => Claims::default(),
            };
            moves.finish()?;
            let ended = ended.into_iter().map(|ended| ended.ok_or(LostLease::Lost)).collect();
            Ok(EndsTaken { ended, claims: Ok(claims) })
        })
        .await
    }

    async fn end_one(&self, end: &AttemptEnd, now: Timestamp) -> Result<Ended, LostLease> {
        self.end(std::slice::from_ref(end), None, now).await?.only()
    }
}

#[async_trait]
impl JobStore for JobsDb {
    async fn insert(&self, jobs: &[NewJob], now: Timestamp) -> PortResult<Vec<InsertOutcome>> {
        // one under a key marks it, which is its own affair
        if idempotency::unmarked(self.engine.name()).is_some() {
            let jobs = jobs.to_vec();
            return self.write(Durability::Durable, move |tx| arrive::insert(tx, &jobs, now)).await;
        }
        self.arrivals.insert(jobs, now).await
    }

    async fn claim(&self, request: &ClaimRequest, now: Timestamp) -> PortResult<Claims> {
        let request = request.clone();
        // lost by a crash, the job is claimed once more
        self.write(Durability::Relaxed, move |tx| {
            let mut moves = Moves::new(tx);
            let claims = claim::claim(tx, &request, now, &mut moves)?;
            moves.finish()?;
            Ok(claims)
        })
        .await
    }

    async fn heartbeat(
        &self,
        holder: LeaseHolder,
        lease: Duration,
        now: Timestamp,
    ) -> Result<Timestamp, LostLease> {
        self.engine.write(Durability::Relaxed, move |tx| work::heartbeat(tx, holder, lease, now)).await
    }

    async fn progress(
        &self,
        holder: LeaseHolder,
        percent: u8,
        data: Option<&Value>,
        now: Timestamp,
    ) -> Result<(), LostLease> {
        let data = data.cloned();
        self.engine
            .write(Durability::Relaxed, move |tx| work::progress(tx, holder, percent, data.as_ref(), now))
            .await
    }

    async fn log(&self, holder: LeaseHolder, line: &str, now: Timestamp) -> Result<(), LostLease> {
        let line = line.to_owned();
        self.engine.write(Durability::Relaxed, move |tx| work::log(tx, holder, &line, now)).await
    }

    async fn list_log(&self, job: JobId) -> PortResult<Vec<(Timestamp, String)>> {
        self.read(move |connection| arrive::list_log(connection, job)).await
    }

    async fn complete(
        &self,
        holder: LeaseHolder,
        result: Option<&Value>,
        now: Timestamp,
    ) -> Result<(), LostLease> {
        let end = AttemptEnd { holder, ending: Ending::Complete(result.cloned()) };
        self.end_one(&end, now).await.map(drop)
    }

    async fn fail(
        &self,
        holder: LeaseHolder,
        failure: &Failure,
        now: Timestamp,
    ) -> Result<FailOutcome, LostLease> {
        let end = AttemptEnd { holder, ending: Ending::Failed(failure.clone()) };
        match self.end_one(&end, now).await? {
            Ended::Failed(outcome) => Ok(outcome),
            Ended::Complete => unreachable!("a failure completes nothing"),
        }
    }

    async fn end(
        &self,
        ends: &[AttemptEnd],
        claim: Option<&ClaimRequest>,
        now: Timestamp,
    ) -> PortResult<EndsTaken> {
        match self.end_and_claim(ends, claim, now).await {
            // a line that cannot be read costs nobody a result
            Err(error) if claim.is_some() && !ends.is_empty() => {
                let taken = self.end_and_claim(ends, None, now).await?;
                Ok(EndsTaken { claims: Err(error), ..taken })
            }
            taken => taken,
        }
    }

    async fn give_back(&self, holder: LeaseHolder, now: Timestamp) -> Result<(), LostLease> {
        // lost by a crash, the lease ends by itself
        self.engine.write(Durability::Relaxed, move |tx| ending::give_back(tx, holder, now)).await
    }

    async fn promote_due(&self, limit: u32, now: Timestamp) -> PortResult<Vec<String>> {
        // lost by a crash, they are promoted again
        self.write(Durability::Relaxed, move |tx| arrive::promote_due(tx, limit, now)).await
    }

    async fn next_due(&self) -> PortResult<Option<Timestamp>> {
        self.read(arrive::next_due).await
    }

    async fn reap(&self, limit: u32, now: Timestamp) -> PortResult<Vec<String>> {
        self.write(Durability::Durable, move |tx| ending::reap(tx, limit, now)).await
    }

    async fn known(&self, ids: &[JobId]) -> PortResult<Vec<JobId>> {
        let ids = ids.to_vec();
        self.read(move |connection| arrive::known(connection, &ids)).await
    }

    async fn find(&self, id: JobId) -> PortResult<Option<Job>> {
        self.read(move |connection| job::find(connection, id)).await
    }

    async fn remove_finished(
        &self,
        state: JobState,
        before: Timestamp,
        limit: u32,
        now: Timestamp,
    ) -> PortResult<u32> {
        self.write(Durability::Durable, move |tx| remove::finished(tx, state, before, limit, now)).await
    }

    async fn ping(&self) -> PortResult<()> {
        self.engine.ping().await
    }
}

#[async_trait]
impl JobAdmin for JobsDb {
    async fn list(
        &self,
        filter: &JobFilter,
        order: JobOrder,
        after: Option<u64>,
        limit: u32,
    ) -> PortResult<JobPage> {
        let filter = filter.clone();
        self.read(move |connection| list::list(connection, &filter, order, after, limit)).await
    }

    async fn total(&self, filter: &JobFilter) -> PortResult<Option<u64>> {
        let filter = filter.clone();
        self.read(move |connection| list::total(connection, &filter)).await
    }

    async fn counts(&self, user: Option<UserId>) -> PortResult<JobCounts> {
        self.read(move |connection| list::counts(connection, user)).await
    }

    async fn depths(&self, _now: Timestamp) -> PortResult<JobCounts> {
        // counters
        self.counts(None).await
    }

    async fn change(&self, id: JobId, change: JobChange, now: Timestamp) -> Result<Job, ChangeJobError> {
        self.engine.write(Durability::Durable, move |tx| manage::change(tx, id, change, now)).await
    }

    async fn remove(&self, id: JobId, now: Timestamp) -> Result<(), ChangeJobError> {
        self.engine.write(Durability::Durable, move |tx| manage::remove(tx, id, now)).await
    }

    async fn retry_dead(
        &self,
        kind: Option<&str>,
        after: Option<u64>,
        limit: u32,
        now: Timestamp,
    ) -> PortResult<RetriedDead> {
        let kind = kind.map(str::to_owned);
        self.write(Durability::Durable, move |tx| manage::retry_dead(tx, kind.as_deref(), after, limit, now))
            .await
    }

    async fn types(&self, only: Option<&str>) -> PortResult<JobTypes> {
        let only = only.map(str::to_owned);
        self.read(move |connection| types::all(connection, only.as_deref())).await
    }

    async fn type_names(&self) -> PortResult<Vec<String>> {
        self.read(types::names).await
    }

    async fn type_use(&self, kind: &str) -> PortResult<TypeUse> {
        let kind = kind.to_owned();
        self.read(move |connection| types::type_use(connection, &kind)).await
    }

    async fn set_paused(&self, kind: Option<&str>, paused: bool) -> PortResult<()> {
        let kind = kind.map(str::to_owned);
        self.write(Durability::Durable, move |tx| types::set_paused(tx, kind.as_deref(), paused)).await
    }

    async fn set_type_limit(&self, kind: &str, limit: Option<TypeLimit>) -> PortResult<()> {
        let kind = kind.to_owned();
        self.write(Durability::Durable, move |tx| types::set_limit(tx, &kind, limit)).await
    }

    async fn history(&self, kind: Option<&str>, since: Timestamp) -> PortResult<Vec<JobMinute>> {
        let kind = kind.map(str::to_owned);
        self.read(move |connection| history::since(connection, kind.as_deref(), since)).await
    }

    async fn index_text(&self, limit: u32) -> PortResult<u32> {
        // lost by a crash, it is done again
        self.write(Durability::Relaxed, move |tx| texts::index(tx, limit)).await
    }
}

#[async_trait]
impl JobEvents for JobsDb {
    async fn events_after(
        &self,
        after: u64,
        filter: &JobEventFilter,
        limit: u32,
    ) -> PortResult<JobEventPage> {
        let filter = filter.clone();
        self.read(move |connection| events::after(connection, after, &filter, limit)).await
    }

    async fn last_event(&self) -> PortResult<u64> {
        self.read(events::last).await
    }

    async fn order_events(&self, _limit: u32, _now: Timestamp) -> PortResult<u32> {
        // one writer: events have their places from the start
        Ok(0)
    }

    async fn forget_events(&self, before: Timestamp, limit: u32) -> PortResult<u32> {
        self.write(Durability::Relaxed, move |tx| events::forget(tx, before, limit)).await
    }
}

#[async_trait]
impl ScheduleStore for JobsDb {
    async fn create_schedule(&self, schedule: &Schedule) -> PortResult<()> {
        let schedule = schedule.clone();
        self.write(Durability::Durable, move |tx| schedules::create(tx, &schedule)).await
    }

    async fn list_schedules(&self, after: Option<SchedulePlace>, limit: u32) -> PortResult<SchedulePage> {
        self.read(move |connection| schedules::list(connection, after, limit)).await
    }

    async fn count_schedules(&self) -> PortResult<u64> {
        self.read(schedules::count).await
    }

    async fn find_schedule(&self, id: ScheduleId) -> PortResult<Option<Schedule>> {
        self.read(move |connection| schedules::find(connection, id)).await
    }

    async fn update_schedule(&self, schedule: &Schedule) -> Result<(), ChangeScheduleError> {
        let schedule = schedule.clone();
        self.engine.write(Durability::Durable, move |tx| schedules::update(tx, &schedule)).await
    }

    async fn delete_schedule(&self, id: ScheduleId) -> PortResult<bool> {
        self.write(Durability::Durable, move |tx| schedules::delete(tx, id)).await
    }

    async fn due_schedules(&self, limit: u32, now: Timestamp) -> PortResult<Vec<Schedule>> {
        self.read(move |connection| schedules::due(connection, limit, now)).await
    }

    async fn next_schedule(&self) -> PortResult<Option<Timestamp>> {
        self.read(schedules::next).await
    }

    async fn fire_schedule(
        &self,
        schedule: &Schedule,
        jobs: &[(Timestamp, NewJob)],
        next_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), ChangeScheduleError> {
        let (schedule, jobs) = (schedule.clone(), jobs.to_vec());
        self.engine
            .write(Durability::Durable, move |tx| schedules::fire(tx, &schedule, &jobs, next_at, now))
            .await
    }
}
