//! Points at which a test ends the process as a power cut would.

/// Ends this process with `SIGKILL` if `FM_TEST_CRASH_AT` names `point`. Does nothing in a release build.
///
/// `FM_TEST_CRASH_AT=job.in-work#3` lets the point pass twice and strikes at the third time.
#[cfg(debug_assertions)]
pub fn crash_point(point: &str) {
    strike_if(point, |wanted| wanted == point);
}

/// The same for a point that several parts of the process pass: `FM_TEST_CRASH_AT` names `point` for all of them, or `part/point` for one.
#[cfg(debug_assertions)]
pub fn crash_point_of(part: &str, point: &str) {
    strike_if(point, |wanted| {
        wanted == point || wanted.split_once('/').is_some_and(|one| one == (part, point))
    });
}

#[cfg(debug_assertions)]
fn strike_if(point: &str, is_wanted: impl Fn(&str) -> bool) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    static TARGET: OnceLock<Option<(String, u32)>> = OnceLock::new();
    static PASSED: AtomicU32 = AtomicU32::new(0);

    let target = TARGET.get_or_init(|| {
        let text = std::env::var("FM_TEST_CRASH_AT").ok()?;
        match text.split_once('#') {
            Some((name, count)) => Some((name.to_owned(), count.parse().ok()?)),
            None => Some((text, 1)),
        }
    });
    let Some((wanted, count)) = target else { return };
    if is_wanted(wanted) && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *count {
        // SIGKILL runs no destructor and flushes nothing, so what survives is what was durable
        let killed = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        // the signal is delivered before the call returns, or it was refused: then the test must not go on
        panic!("the process survived its own SIGKILL at {point}: {killed:?}");
    }
}

/// Ends this process at this point in tests; this is a release build, where it does nothing.
#[cfg(not(debug_assertions))]
pub const fn crash_point(_point: &str) {}

/// Ends this process at this point in tests; this is a release build, where it does nothing.
#[cfg(not(debug_assertions))]
pub const fn crash_point_of(_part: &str, _point: &str) {}
