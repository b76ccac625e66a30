//! What must hold before any test runs.

use anyhow::Result;

use crate::rules;
use crate::shell::{cargo, run as run_program};
use crate::stages::Stages;

/// Format, lints, documentation, dependency rules.
pub(crate) fn run(only: Option<&str>) -> Result<()> {
    let mut stages = Stages::only(only);
    stages.stage("format", || run_program(&mut cargo(&["fmt", "--all", "--check"])))?;
    stages.stage("dependency rules", rules::check)?;
    stages.stage("lints", || {
        run_program(&mut cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--locked",
            "--",
            "-D",
            "warnings",
        ]))
    })?;
    stages.stage("documentation", || {
        run_program(
            cargo(&["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "-D warnings"),
        )
    })?;
    stages.finish()
}
