//! The table of requests with a key of their own, which is the same in all databases.

use common::idempotency::{KEPT, KeyId, KeyState, KnownKey, LEASE, Released, Reserved, Run};
use common::{PortError, PortResult, Timestamp, UserId};
use rusqlite::{OptionalExtension as _, Row};

use crate::engine::{Abort, Durability, Engine, PART, Tx, TxResult};
use crate::row::RowExt as _;

/// Marks the reservation of a run, within the commit of its change.
///
/// # Errors
/// As the store; unavailable if another run has the key.
pub(crate) fn mark<R: From<PortError>>(tx: &Tx<'_>, run: &Run) -> TxResult<(), R> {
    let marked = tx
        .prepare_cached("UPDATE keyed_requests SET marked = 1 WHERE key = ?1 AND run = ?2")?
        .execute((run.key().0, run.number()))?;
    if marked == 1 { Ok(()) } else { Err(Abort::Rule(Run::overtaken(PART).into())) }
}

/// A row, beside its key.
struct Stored {
    reserved_at: Timestamp,
    known: KnownKey,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let until = row.time(2)?;
    let state = match (row.get::<_, Option<Vec<u8>>>(5)?, row.get(4)?) {
        (Some(answer), _) => KeyState::Answered(answer),
        (None, true) => KeyState::Marked { until },
        (None, false) => KeyState::Open { until },
    };
    let known = KnownKey { number: row.get(1)?, fingerprint: row.get(3)?, state };
    Ok(Stored { reserved_at: row.time(0)?, known })
}

/// Whether a key was freed: then nothing is known of its request.
fn is_free(stored: &Stored) -> bool {
    stored.known.fingerprint.is_empty()
}

fn find(tx: &Tx<'_>, key: KeyId) -> rusqlite::Result<Option<Stored>> {
    tx.prepare_cached(
        "SELECT reserved_at, run, until, fingerprint, marked, answer FROM keyed_requests WHERE key = ?1",
    )?
    .query_row([key.0], read)
    .optional()
}

pub(crate) async fn reserve(
    engine: &Engine,
    key: KeyId,
    user: UserId,
    fingerprint: &[u8],
    most: u32,
    now: Timestamp,
) -> PortResult<Reserved> {
    let (fingerprint, database) = (fingerprint.to_vec(), engine.name());
    engine
        .write(Durability::Durable, move |tx| {
            let kept_since = now - KEPT;
            let number = match find(tx, key)? {
                Some(stored) if stored.reserved_at > kept_since && !is_free(&stored) => {
                    return Ok(Reserved::Known(stored.known));
                }
                // a run of that time must not be taken for this one
                Some(stored) => stored.known.number.saturating_add(1),
                None => 1,
            };
            let in_use: u32 = tx
                .prepare_cached(
                    "SELECT count(*) FROM (SELECT 1 FROM keyed_requests WHERE user = ?1 AND reserved_at > ?2 AND fingerprint <> x'' LIMIT ?3)",
                )?
                .query_row((user.bytes(), kept_since.millis(), most), |row| row.get(0))?;
            if in_use >= most {
                return Ok(Reserved::TooMany);
            }
            tx.prepare_cached(
                "INSERT OR REPLACE INTO keyed_requests (key, user, reserved_at, run, until, fingerprint, marked)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)",
            )?
            .execute((key.0, user.bytes(), now.millis(), number, (now + LEASE).millis(), fingerprint))?;
            Ok::<_, Abort<PortError>>(Reserved::Run(Run::new(database, key, number)))
        })
        .await
}

pub(crate) async fn take_over(
    engine: &Engine,
    key: KeyId,
    number: u32,
    now: Timestamp,
) -> PortResult<Option<Run>> {
    let database = engine.name();
    engine
        .write(Durability::Durable, move |tx| {
            let taken = tx
                .prepare_cached(
                    "UPDATE keyed_requests SET run = run + 1, until = ?4
                     WHERE key = ?1 AND run = ?2 AND until <= ?3 AND marked = 0 AND answer IS NULL",
                )?
                .execute((key.0, number, now.millis(), (now + LEASE).millis()))?;
            Ok::<_, Abort<PortError>>((taken == 1).then(|| Run::new(database, key, number + 1)))
        })
        .await
}

pub(crate) async fn keep_answer(engine: &Engine, run: &Run, answer: &[u8]) -> PortResult<bool> {
    let (key, number, answer) = (run.key(), run.number(), answer.to_vec());
    engine
        .write(Durability::Durable, move |tx| {
            let kept = tx
                .prepare_cached("UPDATE keyed_requests SET answer = ?3 WHERE key = ?1 AND run = ?2")?
                .execute((key.0, number, answer))?;
            Ok::<_, Abort<PortError>>(kept == 1)
        })
        .await
}

pub(crate) async fn release(engine: &Engine, run: &Run) -> PortResult<Released> {
    let (key, number) = (run.key(), run.number());
    engine
        .write(Durability::Durable, move |tx| {
            let Some(stored) = find(tx, key)? else { return Ok(Released::Free) };
            if is_free(&stored) {
                return Ok(Released::Free);
            }
            if stored.known.number != number {
                return Ok(Released::Overtaken);
            }
            if !matches!(stored.known.state, KeyState::Open { .. }) {
                // nobody is at it any more
                tx.prepare_cached("UPDATE keyed_requests SET until = 0 WHERE key = ?1")?.execute([key.0])?;
                return Ok(Released::Marked);
            }
            // the number stays: a run that still goes on must not be taken for the next one
            tx.prepare_cached(
                "UPDATE keyed_requests SET run = run + 1, until = 0, fingerprint = x'' WHERE key = ?1",
            )?
            .execute([key.0])?;
            Ok::<_, Abort<PortError>>(Released::Free)
        })
        .await
}

pub(crate) async fn forget(engine: &Engine, before: Timestamp, limit: u32) -> PortResult<u32> {
    engine
        .write(Durability::Relaxed, move |tx| {
            let forgotten = tx
                .prepare_cached(
                    "DELETE FROM keyed_requests WHERE id IN
                     (SELECT id FROM keyed_requests WHERE reserved_at <= ?1 ORDER BY reserved_at LIMIT ?2)",
                )?
                .execute((before.millis(), limit))?;
            Ok::<_, Abort<PortError>>(u32::try_from(forgotten).unwrap_or(u32::MAX))
        })
        .await
}

pub(crate) async fn end_leases(engine: &Engine) -> PortResult<()> {
    engine
        .write(Durability::Relaxed, |tx| {
            tx.prepare_cached("UPDATE keyed_requests SET until = 0 WHERE answer IS NULL")?.execute([])?;
            Ok::<_, Abort<PortError>>(())
        })
        .await
}

/// Makes a database an [`common::idempotency::IdempotencyStore`].
macro_rules! impl_keyed {
    ($db:ty) => {
        impl $db {
            /// Ends the leases of requests with a key that a process before this one was at. Only for whoever knows that it ended: nobody else uses the
            /// file. Safe to repeat.
            ///
            /// # Errors
            /// As every call.
            pub async fn end_request_leases(&self) -> common::PortResult<()> {
                $crate::keyed::end_leases(&self.engine).await
            }
        }

        #[async_trait::async_trait]
        impl common::idempotency::IdempotencyStore for $db {
            async fn reserve(
                &self,
                key: common::idempotency::KeyId,
                user: common::UserId,
                fingerprint: &[u8],
                most: u32,
                now: common::Timestamp,
            ) -> common::PortResult<common::idempotency::Reserved> {
                $crate::keyed::reserve(&self.engine, key, user, fingerprint, most, now).await
            }

            async fn take_over(
                &self,
                key: common::idempotency::KeyId,
                number: u32,
                now: common::Timestamp,
            ) -> common::PortResult<Option<common::idempotency::Run>> {
                $crate::keyed::take_over(&self.engine, key, number, now).await
            }

            async fn keep_answer(
                &self,
                run: &common::idempotency::Run,
                answer: &[u8],
            ) -> common::PortResult<bool> {
                $crate::keyed::keep_answer(&self.engine, run, answer).await
            }

            async fn release(
                &self,
                run: &common::idempotency::Run,
            ) -> common::PortResult<common::idempotency::Released> {
                $crate::keyed::release(&self.engine, run).await
            }

            async fn forget_keys(&self, before: common::Timestamp, limit: u32) -> common::PortResult<u32> {
                $crate::keyed::forget(&self.engine, before, limit).await
            }
        }
    };
}

pub(crate) use impl_keyed;
