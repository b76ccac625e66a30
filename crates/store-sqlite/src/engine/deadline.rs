//! A bound on how long a reader works at one thing: others wait for its thread.

use std::cell::Cell;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};

/// Instructions of SQLite's machine between two looks at the time: less than a millisecond.
const GRAIN: i32 = 20_000;

thread_local! {
    /// The handler runs on the thread that uses the connection.
    static UNTIL: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// From now on, statements of this connection end with an error when their time is over.
pub(super) fn heed(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.progress_handler(GRAIN, Some(is_over))
}

fn is_over() -> bool {
    UNTIL.get().is_some_and(|until| Instant::now() >= until)
}

/// Takes the bound away, also if the work panics.
struct Bound;

impl Drop for Bound {
    fn drop(&mut self) {
        UNTIL.set(None);
    }
}

/// Runs `work` on a reader's thread. What it does by [`in_time`] ends after `limit`.
pub(crate) fn within<T>(limit: Duration, work: impl FnOnce() -> T) -> T {
    UNTIL.set(Some(Instant::now() + limit));
    let _bound = Bound;
    work()
}

/// Runs a part of what is done [`within`] a time; none if that was over, or is before this ends.
pub(crate) fn in_time<T>(work: impl FnOnce() -> rusqlite::Result<T>) -> rusqlite::Result<Option<T>> {
    if is_over() {
        return Ok(None);
    }
    match work() {
        Err(rusqlite::Error::SqliteFailure(error, _)) if error.code == ErrorCode::OperationInterrupted => {
            Ok(None)
        }
        result => result.map(Some),
    }
}
