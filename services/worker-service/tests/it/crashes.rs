//! The process is killed at each point between the cause of a job and its end; the next one goes on.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use common::JobId;
use common::jobs::{Job, JobAdmin as _, JobState, JobStore as _};
use store_sqlite::{JobsDb, OpenOptions};
use tempfile::TempDir;
use tokio::process::Command;

use crate::pictures::example;

struct Installation(TempDir);

impl Installation {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("effects")).unwrap();
        Self(folder)
    }

    async fn run(&self, crash_at: Option<&str>) -> ExitStatus {
        let mut command = Command::new(example("crashing-worker"));
        command.arg(self.0.path()).env_remove("FM_TEST_CRASH_AT").stdin(Stdio::null()).kill_on_drop(true);
        if let Some(point) = crash_at {
            command.env("FM_TEST_CRASH_AT", point);
        }
        tokio::time::timeout(Duration::from_secs(60), command.status()).await.expect("it ends").unwrap()
    }

    /// Runs of the job's handler that came to their end.
    fn effects(&self) -> Vec<String> {
        let files: Vec<_> = std::fs::read_dir(self.0.path().join("effects")).unwrap().collect();
        assert!(files.len() <= 1, "one job, one effect");
        let text = files
            .into_iter()
            .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
            .collect::<String>();
        text.lines().map(ToOwned::to_owned).collect()
    }

    async fn is_killed_at(&self, point: &str) {
        assert_eq!(self.run(Some(point)).await.signal(), Some(9), "{point} was not reached");
    }

    /// Lets one finish. The job, as it is then.
    async fn finishes(&self) -> Job {
        assert!(self.run(None).await.success());
        let store = JobsDb::open(self.0.path().join("jobs.db"), &OpenOptions::default()).unwrap();
        assert_eq!(store.counts(None).await.unwrap().values().sum::<u64>(), 1, "one job");
        store.find(JobId::from_bytes([7; 12])).await.unwrap().unwrap()
    }

    /// Kills it at a point, lets another one finish, and says which runs of the handler came to their end.
    async fn survives(&self, point: &str) -> Vec<String> {
        self.is_killed_at(point).await;
        assert_eq!(self.finishes().await.state, JobState::Complete, "{point}");
        self.effects()
    }
}

#[tokio::test]
async fn before_the_job_was_published() {
    assert_eq!(Installation::new().survives("relay.before-publish").await, ["attempt 1"]);
}

#[tokio::test]
async fn after_the_job_was_published_and_before_its_row_says_so() {
    let installation = Installation::new();
    // whether the worker had done it by then is a race that both may win; the effect is one all the same
    let runs = installation.survives("relay.after-publish").await;
    assert!((1..=2).contains(&runs.len()), "{runs:?}");
}

#[tokio::test]
async fn before_the_job_was_in_the_store() {
    // the message is lost with the bus, and its row is sent again
    assert_eq!(Installation::new().survives("intake.before-insert").await, ["attempt 1"]);
}

#[tokio::test]
async fn after_the_job_was_in_the_store_and_before_its_message_was_acknowledged() {
    let installation = Installation::new();
    // as above: the worker may have been faster than the death
    let runs = installation.survives("intake.before-acknowledge").await;
    assert!((1..=2).contains(&runs.len()), "{runs:?}");
}

#[tokio::test]
async fn after_the_job_was_claimed() {
    let installation = Installation::new();
    installation.is_killed_at("job.after-claim").await;
    let job = installation.finishes().await;
    // an attempt that nobody can say anything about counts, or a deadly job would come for ever
    assert_eq!(
        (job.state, job.attempts_made, &*job.failures[0].error),
        (JobState::Complete, 2, "lease lost")
    );
    assert_eq!(installation.effects(), ["attempt 2"]);
}

#[tokio::test]
async fn while_the_job_was_worked() {
    assert_eq!(Installation::new().survives("job.in-work").await, ["attempt 2"]);
}

#[tokio::test]
async fn after_the_work_and_before_the_job_was_complete() {
    // again, and once more where a busy machine lets the lease end
    let runs = Installation::new().survives("job.before-complete").await;
    assert!(runs.starts_with(&["attempt 1".to_owned(), "attempt 2".to_owned()]), "{runs:?}");
}

#[tokio::test]
async fn after_the_job_was_complete() {
    // its row is still there, and is settled by the next one
    assert_eq!(Installation::new().survives("job.after-complete").await, ["attempt 1"]);
}

#[tokio::test]
async fn before_the_row_of_a_job_was_settled() {
    let installation = Installation::new();
    let runs = installation.survives("relay.before-settle").await;
    assert!((1..=2).contains(&runs.len()), "{runs:?}");
}

/// One death after another, each at another point.
#[tokio::test]
async fn at_every_point_in_turn() {
    let installation = Installation::new();
    for point in [
        "relay.before-publish",
        "relay.after-publish",
        "intake.before-insert",
        "job.after-claim",
        "job.before-complete",
    ] {
        installation.is_killed_at(point).await;
    }
    let job = installation.finishes().await;
    assert_eq!((job.state, job.failures.len()), (JobState::Complete, 2));
    assert_eq!(installation.effects(), ["attempt 2", "attempt 3"]);
}

/// As the kernel ends what takes too much memory: nobody is left to say why.
#[tokio::test]
async fn c148_a_job_that_kills_its_process_each_time_ends_among_the_dead() {
    let installation = Installation::new();
    for _ in 0..3 {
        installation.is_killed_at("job.in-work").await;
    }
    let job = installation.finishes().await;
    assert_eq!((job.state, job.attempts_made), (JobState::Failed, 3));
    let errors: Vec<&str> = job.failures.iter().map(|failure| &*failure.error).collect();
    assert_eq!(errors, ["lease lost"; 3]);
    assert!(installation.effects().is_empty());
}
