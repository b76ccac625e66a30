use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::Notify;

use super::super::error::GroupFailure;
use super::super::{Durability, Tx};
use super::{Request, Verdict};

/// From so many pages in the log on, a quiet moment is used to move them into the file.
const CHECKPOINT_QUIET_PAGES: u32 = 256;

/// From so many pages in the log on (32 MiB), it is moved into the file between two commits, quiet or not.
const CHECKPOINT_BUSY_PAGES: u32 = 8192;

/// The writer's connection and what it knows of its log.
pub(super) struct Committer {
    name: &'static str,
    connection: Connection,
    bell: Arc<Notify>,
    synchronous: Durability,
    /// Pages in the log after the last commit, told by SQLite.
    log_pages: Arc<AtomicU32>,
    /// Pages in the log at the last checkpoint, while it has not started over.
    stuck_pages: u32,
}

impl Committer {
    pub(super) fn new(
        name: &'static str,
        mut connection: Connection,
        bell: Arc<Notify>,
    ) -> rusqlite::Result<Self> {
        #[cfg(test)]
        super::super::steps::count(&mut connection)?;
        let log_pages = Arc::new(AtomicU32::new(0));
        let pages = Arc::clone(&log_pages);
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, count| {
            pages.store(u32::try_from(count).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self { name, connection, bell, synchronous: Durability::Durable, log_pages, stuck_pages: 0 })
    }

    /// Commits a group and answers each of its requests.
    pub(super) fn commit(&mut self, durability: Durability, mut group: Vec<Box<dyn Request>>) {
        let begun = Instant::now();
        let outcome = self.try_commit(durability, &mut group);
        let failure = match &outcome {
            Ok(ring) => {
                if *ring {
                    // all who wait, and the next one who will
                    self.bell.notify_waiters();
                    self.bell.notify_one();
                }
                None
            }
            Err(failure) => {
                tracing::warn!(database = self.name, error = %failure, requests = group.len(), "a commit failed");
                Some(failure.clone())
            }
        };
        metrics::histogram!("fm_store_commit_duration_seconds", "database" => self.name)
            .record(begun.elapsed().as_secs_f64());
        metrics::histogram!("fm_store_commit_group_requests", "database" => self.name)
            .record(group.len() as f64);
        for request in group {
            request.answer(failure.as_ref());
        }
        let pages = self.log_pages.load(Ordering::Relaxed);
        if pages < self.stuck_pages {
            // the log has started over
            self.stuck_pages = 0;
        }
        // on a full disk the room of the log itself can be used again once its pages are in the file
        let is_full = failure.is_some_and(|failure| failure.is_full()) && pages > self.stuck_pages;
        if is_full || pages >= CHECKPOINT_BUSY_PAGES.max(2 * self.stuck_pages) {
            self.checkpoint("PASSIVE");
        }
    }

    /// True if the bell shall ring.
    fn try_commit(
        &mut self,
        durability: Durability,
        group: &mut [Box<dyn Request>],
    ) -> Result<bool, GroupFailure> {
        if !self.connection.is_autocommit() {
            // the rollback of the group before failed
            self.statement("ROLLBACK")?;
        }
        self.set_synchronous(durability)?;
        self.statement("BEGIN IMMEDIATE")?;
        let result = self.run(group);
        if result.is_err() && !self.connection.is_autocommit() {
            self.statement("ROLLBACK")?;
        }
        result
    }

    fn run(&self, group: &mut [Box<dyn Request>]) -> Result<bool, GroupFailure> {
        let tx = Tx::new(&self.connection);
        if let [alone] = group {
            let keep = alone.run(&tx) == Verdict::Keep;
            self.check_alive(alone.as_ref())?;
            self.statement(if keep { "COMMIT" } else { "ROLLBACK" })?;
            return Ok(keep && tx.rings());
        }
        for request in group {
            self.statement("SAVEPOINT request")?;
            let verdict = request.run(&tx);
            self.check_alive(request.as_ref())?;
            if verdict == Verdict::Undo {
                self.statement("ROLLBACK TO request")?;
            }
            self.statement("RELEASE request")?;
        }
        self.statement("COMMIT")?;
        Ok(tx.rings())
    }

    /// Some errors (a full disk, an I/O error) end the whole transaction: then nobody's part of it may be reported as done.
    fn check_alive(&self, after: &dyn Request) -> Result<(), GroupFailure> {
        if self.connection.is_autocommit() { Err(after.failure()) } else { Ok(()) }
    }

    fn statement(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }

    /// This pragma works only between transactions, and when it is compiled.
    fn set_synchronous(&mut self, durability: Durability) -> rusqlite::Result<()> {
        if self.synchronous != durability {
            self.connection.execute_batch(match durability {
                Durability::Durable => "PRAGMA synchronous = FULL",
                // the log is synced by checkpoints still: a crash loses the newest commits, and never tears the file
                Durability::Relaxed => "PRAGMA synchronous = NORMAL",
            })?;
            self.synchronous = durability;
        }
        Ok(())
    }

    pub(super) fn wants_checkpoint(&self) -> bool {
        self.log_pages.load(Ordering::Relaxed) >= CHECKPOINT_QUIET_PAGES.max(self.stuck_pages + 1)
    }

    pub(super) fn checkpoint_when_quiet(&mut self) {
        self.checkpoint("PASSIVE");
    }

    /// Moves the log into the file. Failing is harmless: the log stays, and is tried again when it has grown.
    fn checkpoint(&mut self, mode: &str) {
        let moved = self.set_synchronous(Durability::Durable).and_then(|()| {
            self.connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
                Ok((row.get::<_, u32>(1).unwrap_or(0), row.get::<_, u32>(2).unwrap_or(0)))
            })
        });
        match moved {
            Ok((pages, moved)) => {
                if moved >= pages {
                    self.log_pages.store(0, Ordering::Relaxed);
                }
                // the next commit starts the log over, unless a reader is still in it: then it must have grown to be worth another try
                self.stuck_pages = pages;
            }
            Err(error) => {
                tracing::warn!(database = self.name, %error, "the log could not be moved into the file");
                self.stuck_pages = self.log_pages.load(Ordering::Relaxed);
            }
        }
    }

    pub(super) fn close(mut self) {
        self.checkpoint("TRUNCATE");
        if let Err((_, error)) = self.connection.close() {
            tracing::warn!(database = self.name, %error, "the database could not be closed");
        }
    }
}
