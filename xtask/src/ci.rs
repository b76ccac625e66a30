//! What must hold before any test runs.

use anyhow::Result;

use crate::openapi::{PAGE, no_page};
use crate::rules;
use crate::shell::{cargo, run as run_program};
use crate::stages::Stages;

/// Format, lints, documentation, dependency rules.
pub(crate) fn run(only: Option<&str>) -> Result<()> {
    let mut stages = Stages::only(only);
    stages.stage("format", || run_program(&mut cargo(&["fmt", "--all", "--check"])))?;
    stages.stage("dependency rules", rules::check)?;
    stages.stage("lints", || {
        let mut lints = cargo(&["clippy", "--workspace", "--all-targets", "--all-features", "--locked"]);
        run_program(lints.env(PAGE, no_page()?).args(["--", "-D", "warnings"]))
    })?;
    stages.stage("documentation", || {
        // the features of the lints, whose checks of what others wrote are good for this too
        let mut doc = cargo(&["doc", "--workspace", "--no-deps", "--all-features", "--locked"]);
        run_program(doc.env(PAGE, no_page()?).env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    stages.finish()
}
