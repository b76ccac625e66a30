//! A run in stages, each timed, with a summary at its end.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::shell::say;

/// Collects how long each stage took.
pub(crate) struct Stages {
    only: Option<String>,
    done: Vec<(String, Duration)>,
    failed: Vec<(String, anyhow::Error)>,
}

impl Stages {
    /// A run of the stages whose name contains this; of all, without it.
    pub(crate) fn only(part: Option<&str>) -> Self {
        Self { only: part.map(str::to_owned), done: Vec::new(), failed: Vec::new() }
    }

    /// Runs one stage, on which others stand: a failure ends the run.
    pub(crate) fn stage(&mut self, name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        self.timed(name, work).with_context(|| format!("stage '{name}' failed"))
    }

    /// Runs one stage, on which no other stands: after a failure the run goes on, and fails at its end.
    pub(crate) fn apart(&mut self, name: &str, work: impl FnOnce() -> Result<()>) {
        if let Err(error) = self.timed(name, work) {
            say(&format!("== '{name}' failed: {error:#}"));
            self.failed.push((name.to_owned(), error));
        }
    }

    fn timed(&mut self, name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        if self.only.as_deref().is_some_and(|part| !name.contains(part)) {
            return Ok(());
        }
        say(&format!("\n== {name}"));
        let began = Instant::now();
        let outcome = work();
        self.done.push((name.to_owned(), began.elapsed()));
        outcome
    }

    /// Says how long each stage took. Fails if none ran, or if one has failed.
    pub(crate) fn finish(self) -> Result<()> {
        ensure!(!self.done.is_empty(), "no stage has this in its name");
        say("\n== stages");
        for (name, took) in &self.done {
            say(&format!("{:>7.1} s  {name}", took.as_secs_f64()));
        }
        for (name, error) in &self.failed {
            say(&format!("== '{name}' failed: {error:#}"));
        }
        ensure!(self.failed.is_empty(), "{} of the stages failed", self.failed.len());
        Ok(())
    }
}
