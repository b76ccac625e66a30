//! What must hold before any test runs.

use anyhow::Result;

use crate::rules;
use crate::shell::{cargo, run};
use crate::stages::Stages;

/// Format, lints, documentation, dependency rules.
pub(crate) fn run_stages(stages: &mut Stages) -> Result<()> {
    stages.stage("format", || run(&mut cargo(&["fmt", "--all", "--check"])))?;
    stages.stage("dependency rules", rules::check)?;
    stages.stage("lints", || {
        run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))
    })?;
    stages.stage("documentation", || {
        run(cargo(&["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "-D warnings"))
    })
}

/// `cargo xtask ci`
pub(crate) fn run_alone() -> Result<()> {
    let mut stages = Stages::default();
    run_stages(&mut stages)?;
    stages.summary();
    Ok(())
}
