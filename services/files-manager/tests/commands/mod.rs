//! Administrator's commands that bring much in, on the real program.

mod check;
mod doctor;
mod dump;
mod import;
mod migrate;

use std::process::Output;

use crate::said;
use crate::support::Installation;

/// Runs a command to its end; how it ended, and its report, or else its error.
fn run(
    installation: &Installation,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> (Option<i32>, String) {
    let output: Output =
        installation.command().args(arguments).envs(environment.iter().copied()).output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), if report.is_empty() { said(&output) } else { report })
}

/// Whether a report has each of these lines, or beginnings of lines.
fn has_lines(report: &str, lines: &[&str]) {
    for line in lines {
        assert!(report.lines().any(|said| said.trim_start().starts_with(line)), "no “{line}” in:\n{report}");
    }
}
