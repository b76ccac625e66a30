//! A run in stages, each timed, with a summary at its end.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::shell::say;

/// Collects how long each stage took.
#[derive(Default)]
pub(crate) struct Stages {
    done: Vec<(String, Duration)>,
}

impl Stages {
    /// Runs one stage. The first that fails ends the run.
    pub(crate) fn stage(&mut self, name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        say(&format!("\n== {name}"));
        let began = Instant::now();
        work().with_context(|| format!("stage '{name}' failed"))?;
        self.done.push((name.to_owned(), began.elapsed()));
        Ok(())
    }

    /// Says how long each stage took.
    pub(crate) fn summary(&self) {
        say("\n== stages");
        for (name, took) in &self.done {
            say(&format!("{:>7.1} s  {name}", took.as_secs_f64()));
        }
    }
}
