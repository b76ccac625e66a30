//! Counts what SQLite does, for tests that compare small and large without a clock.

use std::cell::Cell;

use rusqlite::Connection;

/// Instructions of SQLite's machine between two counts: few enough that a page of a list takes dozens of counts.
const GRAIN: i32 = 10;

thread_local! {
    /// The handler runs on the thread that uses the connection.
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// From now on, what this connection does is counted.
pub(super) fn count(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.progress_handler(
        GRAIN,
        Some(|| {
            COUNT.set(COUNT.get() + 1);
            false
        }),
    )
}

/// Runs `work` on the writer's thread and counts SQLite's instructions, in tens.
pub(crate) fn steps<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = COUNT.get();
    let result = work();
    (result, COUNT.get() - before)
}
