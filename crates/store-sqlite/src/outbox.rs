//! The outbox table, which is the same in `auth.db` and `files.db`.

use std::time::Duration;

use common::jobs::{NewJob, OutboxRow, UNREADABLE_RESTS};
use common::{JobId, PortError, PortResult, Timestamp};
use rusqlite::Connection;

use crate::engine::{Abort, Durability, Engine, Tx, damaged};
use crate::row::RowExt as _;

/// Puts jobs into the outbox, within the commit that causes them. A job that is there already stays as it is.
pub(crate) fn push(tx: &Tx<'_>, jobs: &[NewJob]) -> rusqlite::Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    let mut insert =
        tx.prepare_cached("INSERT INTO outbox (id, job) VALUES (?1, ?2) ON CONFLICT (id) DO NOTHING")?;
    for job in jobs {
        let text = serde_json::to_string(job)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        insert.execute((job.id.bytes(), text))?;
    }
    tx.ring();
    Ok(())
}

/// Jobs in the outbox, by their ids.
pub(crate) fn page(
    connection: &Connection,
    after: Option<JobId>,
    limit: u32,
) -> rusqlite::Result<Vec<NewJob>> {
    connection
        .prepare_cached("SELECT job FROM outbox WHERE id > ?1 ORDER BY id LIMIT ?2")?
        .query_map((after.map_or([0; 12], |id| *id.bytes()), limit), |row| {
            serde_json::from_slice(row.get_ref(0)?.as_bytes()?)
                .map_err(|_| damaged("a job in the outbox that cannot be read"))
        })?
        .collect()
}

pub(crate) async fn lease_unsent(
    engine: &Engine,
    limit: u32,
    lease: Duration,
    now: Timestamp,
) -> PortResult<Vec<OutboxRow>> {
    engine
        .write(Durability::Relaxed, move |tx| {
            let mut lease_rows = tx.prepare_cached(
                "UPDATE outbox SET leased_until = ?1
                 WHERE seq IN (SELECT seq FROM outbox WHERE sent_at IS NULL AND leased_until <= ?2 ORDER BY seq LIMIT ?3)
                 RETURNING seq, job, sent",
            )?;
            let mut readable = Vec::new();
            loop {
                let wanted = limit as usize - readable.len();
                let mut rows = lease_rows
                    .query_map(((now + lease).millis(), now.millis(), wanted as i64), |row| {
                        let bytes = row.get_ref(1)?.as_bytes().unwrap_or_default();
                        Ok((row.get::<_, i64>(0)?, serde_json::from_slice::<NewJob>(bytes), row.get(2)?))
                    })?
                    .collect::<Result<Vec<_>, _>>()?;
                let are_all = rows.len() < wanted;
                rows.sort_unstable_by_key(|(seq, ..)| *seq);
                for (seq, job, sent) in rows {
                    match job {
                        Ok(job) => readable.push(OutboxRow { job, sent }),
                        Err(error) => set_aside(tx, seq, now + UNREADABLE_RESTS, &error)?,
                    }
                }
                if are_all || readable.len() == limit as usize {
                    break;
                }
            }
            Ok::<_, Abort<PortError>>(readable)
        })
        .await
}

/// One job that cannot be read must not hold up the others. It stays, for a program that can read it or a person.
fn set_aside(tx: &Tx<'_>, seq: i64, until: Timestamp, error: &serde_json::Error) -> rusqlite::Result<()> {
    metrics::counter!("fm_outbox_unreadable_total").increment(1);
    tracing::error!(seq, cause = %error, "a job in the outbox cannot be read and is set aside");
    tx.prepare_cached("UPDATE outbox SET leased_until = ?2 WHERE seq = ?1")?
        .execute((seq, until.millis()))
        .map(drop)
}

pub(crate) async fn mark_sent(engine: &Engine, ids: &[JobId], at: Timestamp) -> PortResult<()> {
    for_each(engine, Durability::Relaxed, ids, false, move |tx, id| {
        tx.prepare_cached("UPDATE outbox SET sent = sent + 1, sent_at = ?2 WHERE id = ?1")?
            .execute((id.bytes(), at.millis()))
            .map(drop)
    })
    .await
}

pub(crate) async fn list_sent(engine: &Engine, before: Timestamp, limit: u32) -> PortResult<Vec<JobId>> {
    engine
        .read(move |connection| {
            let mut select = connection.prepare_cached(
                "SELECT id FROM outbox WHERE sent_at IS NOT NULL AND sent_at < ?1 ORDER BY sent_at LIMIT ?2",
            )?;
            let ids =
                select.query_map((before.millis(), limit), |row| row.id(0))?.collect::<Result<_, _>>()?;
            Ok(ids)
        })
        .await
}

pub(crate) async fn settle(engine: &Engine, ids: &[JobId]) -> PortResult<()> {
    // a row that comes back after a crash is settled again
    for_each(engine, Durability::Relaxed, ids, false, |tx, id| {
        tx.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute([id.bytes()]).map(drop)
    })
    .await
}

pub(crate) async fn unsend(engine: &Engine, ids: &[JobId]) -> PortResult<()> {
    for_each(engine, Durability::Relaxed, ids, true, |tx, id| {
        tx.prepare_cached("UPDATE outbox SET sent_at = NULL, leased_until = 0 WHERE id = ?1")?
            .execute([id.bytes()])
            .map(drop)
    })
    .await
}

/// Makes all rows unsent and free.
pub(crate) async fn start_over(engine: &Engine) -> PortResult<()> {
    engine
        .write(Durability::Relaxed, |tx| {
            tx.prepare_cached("UPDATE outbox SET sent_at = NULL, leased_until = 0 WHERE sent_at IS NOT NULL OR leased_until > 0")?
                .execute([])?;
            tx.ring();
            Ok::<_, Abort<PortError>>(())
        })
        .await
}

pub(crate) async fn depth(engine: &Engine) -> PortResult<u64> {
    engine
        .read(|connection| {
            Ok(connection.prepare_cached("SELECT count(*) FROM outbox")?.query_row([], |row| row.count(0))?)
        })
        .await
}

async fn for_each(
    engine: &Engine,
    durability: Durability,
    ids: &[JobId],
    ring: bool,
    change: impl Fn(&Tx<'_>, &JobId) -> rusqlite::Result<()> + Send + 'static,
) -> PortResult<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let ids = ids.to_vec();
    engine
        .write(durability, move |tx| {
            for id in &ids {
                change(tx, id)?;
            }
            if ring {
                tx.ring();
            }
            Ok::<_, Abort<PortError>>(())
        })
        .await
}

/// Implements [`common::jobs::Outbox`] for a database with a field `engine`.
macro_rules! impl_outbox {
    ($database:ty) => {
        impl $database {
            /// Takes back what relays of processes before this one had leased, or given to a bus that ended with them. Only for whoever
            /// knows that nobody else uses the file. Safe to repeat.
            ///
            /// # Errors
            /// As every call.
            pub async fn start_outbox_over(&self) -> common::PortResult<()> {
                $crate::outbox::start_over(&self.engine).await
            }
        }

        #[async_trait::async_trait]
        impl common::jobs::Outbox for $database {
            async fn lease_unsent(
                &self,
                limit: u32,
                lease: std::time::Duration,
                now: common::Timestamp,
            ) -> common::PortResult<Vec<common::jobs::OutboxRow>> {
                $crate::outbox::lease_unsent(&self.engine, limit, lease, now).await
            }

            async fn mark_sent(
                &self,
                ids: &[common::JobId],
                at: common::Timestamp,
            ) -> common::PortResult<()> {
                $crate::outbox::mark_sent(&self.engine, ids, at).await
            }

            async fn list_sent(
                &self,
                before: common::Timestamp,
                limit: u32,
            ) -> common::PortResult<Vec<common::JobId>> {
                $crate::outbox::list_sent(&self.engine, before, limit).await
            }

            async fn settle(&self, ids: &[common::JobId]) -> common::PortResult<()> {
                $crate::outbox::settle(&self.engine, ids).await
            }

            async fn unsend(&self, ids: &[common::JobId]) -> common::PortResult<()> {
                $crate::outbox::unsend(&self.engine, ids).await
            }

            async fn depth(&self) -> common::PortResult<u64> {
                $crate::outbox::depth(&self.engine).await
            }

            async fn wait(&self) {
                self.engine.bell().notified().await;
            }
        }
    };
}

pub(crate) use impl_outbox;
