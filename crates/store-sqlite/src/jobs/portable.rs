//! Jobs that are yet to be done, and notifications, as a whole.

use async_trait::async_trait;
use common::jobs::{Job, JobEventKind};
use common::notifications::Notification;
use common::portable::{PortableJob, PortableJobs};
use common::{NotificationId, PortResult, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::job::{COLUMNS, job, state_number, to_json, user_bytes};
use super::moves::{Moves, Place};
use super::{JobsDb, arrive, notifications};
use crate::engine::{Durability, Tx};
use crate::row::{RowExt as _, int, is_there};

fn page(connection: &Connection, after: Option<u64>, limit: u32) -> rusqlite::Result<Vec<PortableJob>> {
    let found: Vec<Job> = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM jobs WHERE number > ?1 AND state IN (0, 1, 4) ORDER BY number LIMIT ?2"
        ))?
        .query_map((int(after.unwrap_or(0)), limit), job)?
        .collect::<Result<_, _>>()?;
    let with_log = |job: Job| {
        let log = arrive::list_log(connection, job.spec.id)?;
        Ok(PortableJob::at_rest(job, log))
    };
    found.into_iter().map(with_log).collect()
}

fn keep(
    tx: &Tx<'_>,
    PortableJob { job, log }: &PortableJob,
    moves: &mut Moves<'_, '_>,
) -> rusqlite::Result<()> {
    let spec = &job.spec;
    if is_there(tx, "jobs", spec.id.bytes())? {
        return Ok(());
    }
    let number = tx
        .prepare_cached(
            "INSERT INTO jobs (id, type, data, priority, user, max_attempts, backoff, ttl_ms, run_at, created_at, request_id,
                               state, progress, result, error, attempts_made, failures, inserted_at, started_at, updated_at, trace,
                               unique_key, remove_on_complete, progress_data, due_at, ready_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25,
                     CASE WHEN ?25 IS NULL THEN ?20 END)
             ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL AND state IN (0, 1, 4) DO NOTHING
             RETURNING number",
        )?
        .query_row(
            params![
                spec.id.bytes(),
                spec.kind,
                to_json(&spec.data)?,
                spec.priority.0,
                user_bytes(spec.user.as_ref()),
                spec.max_attempts,
                to_json(&spec.backoff)?,
                int(spec.ttl_ms),
                spec.run_at.map(Timestamp::millis),
                spec.created_at.millis(),
                spec.request_id,
                state_number(job.state),
                job.progress,
                job.result.as_ref().map(to_json).transpose()?,
                job.error,
                job.attempts_made,
                to_json(&job.failures)?,
                job.inserted_at.millis(),
                job.started_at.map(Timestamp::millis),
                job.updated_at.millis(),
                spec.trace.map(|trace| trace.to_string()),
                spec.unique_key,
                spec.remove_on_complete,
                job.progress_data.as_ref().map(to_json).transpose()?,
                job.due_at.map(Timestamp::millis),
            ],
            |row| row.count(0),
        )
        .optional()?;
    // a job that is there has its key
    let Some(number) = number else { return Ok(()) };
    let mut line =
        tx.prepare_cached("INSERT INTO job_log (number, seq, at, line) VALUES (?1, ?2, ?3, ?4)")?;
    for (seq, (at, text)) in (1_i64..).zip(log) {
        line.execute((int(number), seq, at.millis(), text))?;
    }
    let place = Place { number, ..Place::of(job) };
    moves.enter(&place, job.state)?;
    moves.tell(&place, JobEventKind::Enqueue, None, job.updated_at)
}

#[async_trait]
impl PortableJobs for JobsDb {
    async fn page_jobs(&self, after: Option<u64>, limit: u32) -> PortResult<Vec<PortableJob>> {
        self.read(move |connection| page(connection, after, limit)).await
    }

    async fn keep_jobs(&self, jobs: &[PortableJob]) -> PortResult<()> {
        let jobs = jobs.to_vec();
        self.write(Durability::Durable, move |tx| {
            let mut moves = Moves::new(tx);
            jobs.iter().try_for_each(|job| keep(tx, job, &mut moves))?;
            moves.finish()
        })
        .await
    }

    async fn page_notifications(
        &self,
        after: Option<NotificationId>,
        limit: u32,
    ) -> PortResult<Vec<Notification>> {
        let after = after.map_or([0; 12], |id| *id.bytes());
        self.read(move |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {} FROM notifications WHERE id > ?1 ORDER BY id LIMIT ?2",
                    notifications::COLUMNS
                ))?
                .query_map((after, limit), notifications::read)?
                .collect()
        })
        .await
    }

    async fn keep_notifications(&self, kept: &[Notification]) -> PortResult<()> {
        let kept = kept.to_vec();
        self.write(Durability::Durable, move |tx| {
            let mut insert = tx.prepare_cached(&format!(
                "INSERT INTO notifications ({}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO NOTHING",
                notifications::COLUMNS
            ))?;
            for Notification { news, created_at, read_at } in &kept {
                insert.execute((
                    news.id.bytes(),
                    news.user.bytes(),
                    &news.kind,
                    &news.text,
                    to_json(&news.data)?,
                    created_at.millis(),
                    read_at.map(Timestamp::millis),
                ))?;
            }
            Ok(())
        })
        .await
    }
}
