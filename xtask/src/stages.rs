//! A run in stages, each timed, with a summary at its end.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::shell::say;

/// Collects how long each stage took.
pub(crate) struct Stages {
    only: Option<String>,
    done: Vec<(String, Duration)>,
}

impl Stages {
    /// A run of the stages whose name contains this; of all, without it.
    pub(crate) fn only(part: Option<&str>) -> Self {
        Self { only: part.map(str::to_owned), done: Vec::new() }
    }

    /// Runs one stage. The first that fails ends the run.
    pub(crate) fn stage(&mut self, name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        if self.only.as_deref().is_some_and(|part| !name.contains(part)) {
            return Ok(());
        }
        say(&format!("\n== {name}"));
        let began = Instant::now();
        work().with_context(|| format!("stage '{name}' failed"))?;
        self.done.push((name.to_owned(), began.elapsed()));
        Ok(())
    }

    /// Says how long each stage took. Fails if none ran.
    pub(crate) fn finish(&self) -> Result<()> {
        ensure!(!self.done.is_empty(), "no stage has this in its name");
        say("\n== stages");
        for (name, took) in &self.done {
            say(&format!("{:>7.1} s  {name}", took.as_secs_f64()));
        }
        Ok(())
    }
}
