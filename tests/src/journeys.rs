//! The page's journeys, `web/tests/journeys`: people's ways through the page, in a real browser. They take an address as the other cases do, and
//! need Node, Chromium, and the packages of `web/tests`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::Product;

/// Where they are.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/tests")
}

/// The names of all files with journeys, in the order of their names.
///
/// # Errors
/// When the folder cannot be read.
pub fn all() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for file in std::fs::read_dir(folder().join("journeys"))? {
        let name = file?.file_name().into_string().ok().context("a name that is no text")?;
        names.extend(name.strip_suffix(".test.mjs").map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// Runs the journeys of these files, so many files at once, or, where `only` names some, those of these names. `environment` says what they cannot know
/// from the product. Blocks.
///
/// # Errors
/// When one fails, with what all of them said; when there is none, or none of a name.
pub fn run(
    product: &Product,
    files: &[&str],
    only: &[&str],
    at_once: usize,
    environment: &[(&str, &OsStr)],
) -> Result<()> {
    let mut command = Command::new("node");
    command
        .args(["--test", "--test-reporter=tap", "--test-timeout=900000"])
        .arg(format!("--test-concurrency={at_once}"))
        .args(only.iter().map(|name| format!("--test-name-pattern=^{name}$")))
        .args(files.iter().map(|file| format!("journeys/{file}.test.mjs")))
        .current_dir(folder())
        .env("FM_E2E_ADDRESS", &product.address)
        .env("FM_E2E_SETUP_CODE", &product.setup_code)
        .envs(environment.iter().copied());
    let output = command.output().context("node cannot be started")?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "{}: {}\n{said}\n{}",
        files.join(", "),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    ensure!(!said.contains("# tests 0"), "{} hold no journey", files.join(", "));
    let passed = said.lines().find_map(|line| line.strip_prefix("# pass "));
    let passed: usize = passed.context("no number of those that passed")?.parse()?;
    ensure!(only.is_empty() || passed == only.len(), "{passed} of these: {}", only.join("; "));
    Ok(())
}
