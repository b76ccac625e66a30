//! The ports, call by call: deadlines, turns, and what is done by the way.

use std::time::Duration;

use async_trait::async_trait;
use common::jobs::{
    ChangeJobError, ChangeScheduleError, ClaimRequest, Claims, FailOutcome, Failure, InsertOutcome, Job,
    JobAdmin, JobChange, JobCounts, JobEventFilter, JobEventPage, JobEvents, JobFilter, JobMinute, JobOrder,
    JobPage, JobState, JobStore, JobTypes, LeaseHolder, LostLease, NewJob, RetriedDead, Schedule,
    SchedulePage, SchedulePlace, ScheduleStore, TypeLimit, TypeUse,
};
use common::{JobId, PortResult, ScheduleId, Timestamp, UserId};
use serde_json::Value;

use super::{
    JobsDb, Turn, arrive, astray, claim, depths, doc, events, keys, list, log, manage, schedules, settings,
    stream, tally, text, turns, work,
};

#[async_trait]
impl JobStore for JobsDb {
    async fn insert(&self, jobs: &[NewJob], now: Timestamp) -> PortResult<Vec<InsertOutcome>> {
        arrive::insert(&self.engine, &self.named, jobs, now).await
    }

    async fn claim(&self, request: &ClaimRequest, now: Timestamp) -> PortResult<Claims> {
        astray::bring_back(&self.engine, &self.astray, &request.types, now).await?;
        self.engine
            .write(async {
                let _turn = self.engine.turn(&keys(Turn::Claim)).await;
                Ok(claim::claim(self, request, now).await?)
            })
            .await
    }

    async fn heartbeat(
        &self,
        holder: LeaseHolder,
        lease: Duration,
        now: Timestamp,
    ) -> Result<Timestamp, LostLease> {
        self.engine.write(work::heartbeat(&self.engine, holder, lease, now)).await
    }

    async fn progress(
        &self,
        holder: LeaseHolder,
        percent: u8,
        data: Option<&Value>,
        now: Timestamp,
    ) -> Result<(), LostLease> {
        self.engine.write(work::progress(&self.engine, holder, percent, data, now)).await
    }

    async fn log(&self, holder: LeaseHolder, line: &str, now: Timestamp) -> Result<(), LostLease> {
        self.engine.write(log::add(&self.engine, holder, line, now)).await
    }

    async fn list_log(&self, job: JobId) -> PortResult<Vec<(Timestamp, String)>> {
        self.engine.run(log::list(&self.engine, job)).await
    }

    async fn complete(
        &self,
        holder: LeaseHolder,
        result: Option<&Value>,
        now: Timestamp,
    ) -> Result<(), LostLease> {
        self.engine.write(work::complete(&self.engine, &self.tally, holder, result, now)).await
    }

    async fn fail(
        &self,
        holder: LeaseHolder,
        failure: &Failure,
        now: Timestamp,
    ) -> Result<FailOutcome, LostLease> {
        self.engine.write(work::fail(&self.engine, &self.tally, holder, failure, now)).await
    }

    async fn give_back(&self, holder: LeaseHolder, now: Timestamp) -> Result<(), LostLease> {
        work::give_back(&self.engine, holder, now).await
    }

    async fn promote_due(&self, limit: u32, now: Timestamp) -> PortResult<Vec<String>> {
        self.tally.bring_old(&self.engine, now).await;
        self.engine.run(self.tally.sweep(&self.engine, now)).await?;
        self.engine.run(turns::forget(&self.engine, now)).await?;
        arrive::promote_due(&self.engine, limit, now).await
    }

    async fn next_due(&self) -> PortResult<Option<Timestamp>> {
        self.engine.run(arrive::next_due(&self.engine)).await
    }

    async fn reap(&self, limit: u32, now: Timestamp) -> PortResult<Vec<String>> {
        self.engine
            .call(async {
                let _turn = self.engine.turn(&keys(Turn::Reap)).await;
                Ok(work::reap(&self.engine, &self.tally, limit, now).await?)
            })
            .await
    }

    async fn known(&self, ids: &[JobId]) -> PortResult<Vec<JobId>> {
        self.engine.run(arrive::known(&self.engine, ids)).await
    }

    async fn find(&self, id: JobId) -> PortResult<Option<Job>> {
        self.engine.run(doc::find(&self.engine, id)).await
    }

    async fn remove_finished(
        &self,
        state: JobState,
        before: Timestamp,
        limit: u32,
        now: Timestamp,
    ) -> PortResult<u32> {
        self.engine.run(manage::remove_finished(&self.engine, state, before, limit, now)).await
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
        self.engine.run(list::list(&self.engine, filter, order, after, limit)).await
    }

    async fn counts(&self, user: Option<UserId>) -> PortResult<JobCounts> {
        self.engine.run(list::counts(&self.engine, self.reach, user)).await
    }

    async fn total(&self, filter: &JobFilter) -> PortResult<Option<u64>> {
        self.engine.run(depths::total(&self.engine, self.reach, filter)).await
    }

    async fn depths(&self, now: Timestamp) -> PortResult<JobCounts> {
        depths::recount_if_due(&self.engine, self.reach, now).await?;
        self.engine.run(depths::depths(&self.engine)).await
    }

    async fn change(&self, id: JobId, change: JobChange, now: Timestamp) -> Result<Job, ChangeJobError> {
        manage::change(&self.engine, id, change, now).await
    }

    async fn remove(&self, id: JobId, now: Timestamp) -> Result<(), ChangeJobError> {
        self.engine.write(manage::remove(&self.engine, id, now)).await
    }

    async fn retry_dead(
        &self,
        kind: Option<&str>,
        after: Option<u64>,
        limit: u32,
        now: Timestamp,
    ) -> PortResult<RetriedDead> {
        manage::retry_dead(&self.engine, kind, after, limit, now).await
    }

    async fn types(&self, only: Option<&str>) -> PortResult<JobTypes> {
        self.engine
            .run(async {
                self.tally.bring(&self.engine).await?;
                settings::types(&self.engine, self.reach, only).await
            })
            .await
    }

    async fn type_names(&self) -> PortResult<Vec<String>> {
        self.engine.run(settings::names(&self.engine)).await
    }

    async fn type_use(&self, kind: &str) -> PortResult<TypeUse> {
        self.engine
            .run(async {
                self.tally.bring(&self.engine).await?;
                settings::type_use(&self.engine, kind).await
            })
            .await
    }

    async fn set_paused(&self, kind: Option<&str>, paused: bool) -> PortResult<()> {
        self.engine.write_run(settings::set_paused(&self.engine, kind, paused)).await
    }

    async fn set_type_limit(&self, kind: &str, limit: Option<TypeLimit>) -> PortResult<()> {
        self.engine.write_run(settings::set_limit(&self.engine, kind, limit)).await
    }

    async fn history(&self, kind: Option<&str>, since: Timestamp) -> PortResult<Vec<JobMinute>> {
        self.engine
            .run(async {
                self.tally.bring(&self.engine).await?;
                tally::history(&self.engine, kind, since).await
            })
            .await
    }

    async fn index_text(&self, limit: u32) -> PortResult<u32> {
        self.engine.run(text::index(&self.engine, limit)).await
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
        self.engine.run(stream::after(&self.engine, after, filter, limit)).await
    }

    async fn last_event(&self) -> PortResult<u64> {
        self.engine.run(async { crate::value::count(events::last(&self.engine).await?) }).await
    }

    async fn order_events(&self, limit: u32, now: Timestamp) -> PortResult<u32> {
        self.engine
            .run(async {
                let _turn = self.engine.turn(&keys(Turn::Order)).await;
                self.tally.bring_old(&self.engine, now).await;
                events::order(&self.engine, limit, now).await
            })
            .await
    }

    async fn forget_events(&self, before: Timestamp, limit: u32) -> PortResult<u32> {
        self.engine.run(stream::forget(&self.engine, before, limit)).await
    }
}

#[async_trait]
impl ScheduleStore for JobsDb {
    async fn create_schedule(&self, schedule: &Schedule) -> PortResult<()> {
        self.engine.write_run(schedules::create(&self.engine, schedule)).await
    }

    async fn list_schedules(&self, after: Option<SchedulePlace>, limit: u32) -> PortResult<SchedulePage> {
        self.engine.run(schedules::list(&self.engine, after, limit)).await
    }

    async fn count_schedules(&self) -> PortResult<u64> {
        self.engine.run(schedules::count(&self.engine)).await
    }

    async fn find_schedule(&self, id: ScheduleId) -> PortResult<Option<Schedule>> {
        self.engine.run(schedules::find(&self.engine, id)).await
    }

    async fn update_schedule(&self, schedule: &Schedule) -> Result<(), ChangeScheduleError> {
        self.engine.write(schedules::update(&self.engine, schedule)).await
    }

    async fn delete_schedule(&self, id: ScheduleId) -> PortResult<bool> {
        self.engine.write_run(schedules::delete(&self.engine, id)).await
    }

    async fn due_schedules(&self, limit: u32, now: Timestamp) -> PortResult<Vec<Schedule>> {
        self.engine.run(schedules::due(&self.engine, limit, now)).await
    }

    async fn next_schedule(&self) -> PortResult<Option<Timestamp>> {
        self.engine.run(schedules::next(&self.engine)).await
    }

    async fn fire_schedule(
        &self,
        schedule: &Schedule,
        jobs: &[(Timestamp, NewJob)],
        next_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), ChangeScheduleError> {
        schedules::fire(&self.engine, &self.named, schedule, jobs, next_at, now).await
    }
}
