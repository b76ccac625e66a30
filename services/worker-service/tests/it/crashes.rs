//! The process is killed at each point between the cause of a job and its end; the next one goes on.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use common::JobId;
use common::jobs::{JobState, JobStore as _};
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

    /// Kills it at a point, lets another one finish, and says which runs of the handler came to their end.
    async fn survives(&self, point: &str) -> Vec<String> {
        assert_eq!(self.run(Some(point)).await.signal(), Some(9), "{point} was not reached");
        assert!(self.run(None).await.success(), "{point}");
        let store = JobsDb::open(self.0.path().join("jobs.db"), &OpenOptions::default()).unwrap();
        let job = store.find(JobId::from_bytes([7; 12])).await.unwrap().unwrap();
        assert_eq!(job.state, JobState::Complete, "{point}");
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
async fn while_the_job_was_worked() {
    assert_eq!(Installation::new().survives("job.in-work").await, ["attempt 2"]);
}

#[tokio::test]
async fn after_the_work_and_before_the_job_was_complete() {
    assert_eq!(Installation::new().survives("job.before-complete").await, ["attempt 1", "attempt 2"]);
}
