//! Measures the page in a real browser, over a product that is filled for it. What happens in the browser is said by `web/tests/bench`.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::Effort;
use crate::contestants::{OURS, create_administrator};
use crate::fill::{EMAIL, Filled, Filling};
use crate::report::Report;
use crate::workloads::say;

/// The word that chooses this.
pub(crate) const WORD: &str = "web";

/// What stands beside the page in a figure.
const BESIDE: [&str; 3] = ["the browser alone", "curl", "a folder of 10 entries"];

/// Entries of the small folder.
const FEW: usize = 10;

#[derive(Parser)]
#[command(name = "cargo xtask bench web", about = "Measures the page in headless Chromium")]
struct Arguments {
    /// Workloads: f first load, o opening a folder, s scrolling, u uploads beside curl; none: all
    workloads: Vec<char>,
    #[command(flatten)]
    effort: Effort,
    /// Entries of the large folder
    #[arg(long, default_value_t = 100_000)]
    entries: usize,
    /// Small files that are uploaded at once
    #[arg(long, default_value_t = 2_000)]
    small_files: usize,
    /// The product's program
    #[arg(long)]
    program: PathBuf,
    /// Folder of the page's tests, with their packages
    #[arg(long)]
    tests: PathBuf,
}

/// Runs it with the arguments after the word.
pub(crate) async fn run(words: impl Iterator<Item = String>) -> Result<()> {
    let arguments = Arguments::parse_from(words);
    let target = arguments.program.ancestors().nth(2).context("the program lies in no target folder")?;
    let scratch = TempDir::with_prefix_in("bench-", target)?;
    let data = scratch.path().join("data");
    // a product without one shows its set-up
    create_administrator(&arguments.program, &data, "root@example.org", "correct horse")?;
    let folder = |name: &str, files| Filling {
        folder: name.to_owned(),
        files,
        content: b"a small file".to_vec(),
        name: |n| format!("file {n}.bin"),
        text: |_| None,
    };
    let fillings = [folder("few", FEW), folder("many", arguments.entries)];
    let filled = Filled::start(&arguments.program, &data, &fillings).await?;

    let plan = json!({
        "workloads": arguments.workloads.iter().collect::<String>(),
        "rounds": arguments.effort.rounds.max(1),
        "email": EMAIL,
        "password": "password",
        "token": filled.api.token,
        "entries": arguments.entries,
        "largeMib": arguments.effort.large_mib,
        "smallFiles": arguments.small_files,
        "scratch": scratch.path().join("uploads"),
        "many": filled.folders[1],
    });
    let mut browser = tokio::process::Command::new("node")
        .arg("bench/run.mjs")
        .current_dir(&arguments.tests)
        .env("FM_E2E_ADDRESS", format!("http://{}", filled.server.address))
        .env("FM_BENCH_PLAN", plan.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("node cannot be started")?;
    let mut lines = BufReader::new(browser.stdout.take().context("a pipe")?).lines();
    let mut report = Report::default();
    while let Some(line) = lines.next_line().await? {
        take(&mut report, &line)?;
    }
    let status = browser.wait().await?;
    report.print();
    ensure!(status.success(), "bench/run.mjs: {status}");
    Ok(())
}

/// A line is a figure, a note for readers of all of them, or what is done now.
fn take(report: &mut Report, line: &str) -> Result<()> {
    let told: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
    if let Some(doing) = told["doing"].as_str() {
        say(doing);
        return Ok(());
    }
    if let Some(note) = told["note"].as_str() {
        report.note(note);
        return Ok(());
    }
    let text = |name: &str| told[name].as_str().with_context(|| format!("{name} in {line}"));
    let contestant = match told["beside"].as_str() {
        None => OURS,
        Some(beside) => match BESIDE.iter().find(|known| **known == beside) {
            Some(known) => known,
            None => bail!("nobody knows {beside}"),
        },
    };
    let figure = told["figure"].as_f64().with_context(|| format!("a figure in {line}"))?;
    report.add(text("workload")?, text("measure")?, contestant, figure);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_browser_are_figures_notes_or_progress() {
        let mut report = Report::default();
        take(&mut report, r#"{"workload":"f","measure":"ms","figure":1.5}"#).unwrap();
        take(&mut report, r#"{"workload":"u","measure":"GiB/s","beside":"curl","figure":2}"#).unwrap();
        take(&mut report, r#"{"doing":"round 1"}"#).unwrap();
        take(&mut report, r#"{"note":"said"}"#).unwrap();
        assert!(take(&mut report, r#"{"workload":"u","measure":"s","beside":"wget","figure":2}"#).is_err());
        assert!(take(&mut report, r#"{"workload":"f","measure":"ms","figure":null}"#).is_err());
    }
}
