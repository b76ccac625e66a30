//! Runs the test programs that cargo has built: two lines of them at once, as many of them mostly wait, and those that need the machine for themselves
//! at the end.

use std::fs::{File, create_dir_all};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use crate::shell::{cargo, root, say};

/// What is run beside what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// The contracts on MongoDB: they wait for one server that uses one processor.
    Mongo,
    /// All others.
    Others,
    /// After the others, one by one: outages, kills and limits of memory, whose bounds of time and memory are those of a machine that does nothing else.
    Alone,
    /// In a stage of their own: people's browsers, and other people's clients.
    Page,
}

/// A test program.
#[derive(Debug)]
pub(crate) struct Suite {
    package: String,
    target: String,
    program: PathBuf,
    /// Where its package lies: it runs there.
    folder: PathBuf,
}

impl Suite {
    pub(crate) fn line(&self) -> Line {
        match (self.package.as_str(), self.target.as_str()) {
            ("store-mongo", _) => Line::Mongo,
            ("files-manager", "browser" | "upload_clients") | ("e2e", "journeys") => Line::Page,
            ("e2e", _) | ("files-manager", "both_forms" | "kill" | "memory" | "full_disk" | "start_stop") => {
                Line::Alone
            }
            _ => Line::Others,
        }
    }

    fn name(&self) -> String {
        format!("{} {}", self.package, self.target)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(&self.folder).env("CARGO_MANIFEST_DIR", &self.folder).stdin(Stdio::null());
        // each brings servers of its own, and holds them to the product's deadlines
        if (self.package.as_str(), self.target.as_str()) == ("e2e", "outages") {
            command.arg("--test-threads=1");
        }
        command
    }

    /// Runs it, and writes down what it says; where that is, and whether all passed.
    fn run_beside(&self, environment: &[(&str, String)]) -> Result<(PathBuf, bool)> {
        let folder = root().join("target/suites");
        create_dir_all(&folder)?;
        let said = folder.join(format!("{}-{}.log", self.package, self.target));
        let file = File::create(&said)?;
        let mut command = self.command();
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let status = command.stdout(file.try_clone()?).stderr(file).status();
        Ok((said, status.with_context(|| format!("{}: cannot be started", self.name()))?.success()))
    }
}

/// One line of what cargo says about a build, as far as it names a program.
#[derive(Deserialize)]
struct Artifact {
    #[serde(default)]
    manifest_path: PathBuf,
    target: Option<Target>,
    profile: Option<Profile>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// Builds the tests of the whole workspace with these features.
///
/// # Errors
/// If something does not compile.
pub(crate) fn build(features: &str) -> Result<Vec<Suite>> {
    let mut build = cargo(&["test", "--workspace", "--locked", "--no-run", "--features", features]);
    build.arg("--message-format=json-render-diagnostics").stderr(Stdio::inherit());
    say("$ cargo test --workspace --no-run");
    let output = build.output()?;
    ensure!(output.status.success(), "the tests do not compile");
    suites(&String::from_utf8(output.stdout)?)
}

/// The test programs that cargo names.
fn suites(messages: &str) -> Result<Vec<Suite>> {
    let mut suites = Vec::new();
    for message in messages.lines().filter(|line| line.starts_with('{')) {
        let artifact: Artifact = serde_json::from_str(message)?;
        let (Some(target), Some(profile), Some(program)) =
            (artifact.target, artifact.profile, artifact.executable)
        else {
            continue;
        };
        if !profile.test {
            continue;
        }
        let folder = artifact.manifest_path.parent().map(Path::to_owned).unwrap_or_default();
        let manifest: toml::Table = toml::from_str(&std::fs::read_to_string(&artifact.manifest_path)?)?;
        let package = manifest.get("package").and_then(|package| package.get("name"));
        let package = package.and_then(toml::Value::as_str).context("a package without a name")?.to_owned();
        suites.push(Suite { package, target: target.name, program, folder });
    }
    ensure!(!suites.is_empty(), "cargo has named no test program");
    suites.sort_by(|a, b| (&a.package, &a.target, &a.program).cmp(&(&b.package, &b.target, &b.program)));
    Ok(suites)
}

/// Runs all but those of the page, also when some fail, and says how long each took.
///
/// # Errors
/// Names the programs of which tests failed.
pub(crate) fn run(suites: &[Suite], mongo: &[(&str, String)], others: &[(&str, String)]) -> Result<()> {
    let record = Mutex::new(Record::default());
    let of = |line: Line| suites.iter().filter(move |suite| suite.line() == line);
    std::thread::scope(|scope| {
        let lines = [(Line::Mongo, mongo), (Line::Others, others)].map(|(line, environment)| {
            let record = &record;
            scope.spawn(move || of(line).try_for_each(|suite| beside(suite, environment, record)))
        });
        lines
            .into_iter()
            .try_for_each(|line| line.join().unwrap_or_else(|_| bail!("a line of tests panicked")))
    })?;
    for suite in of(Line::Alone) {
        beside(suite, others, &record)?;
    }
    record.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).finish()
}

/// Runs those of the page.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_page(suites: &[Suite], environment: &[(&str, String)]) -> Result<()> {
    let record = Mutex::new(Record::default());
    for suite in suites.iter().filter(|suite| suite.line() == Line::Page) {
        beside(suite, environment, &record)?;
    }
    record.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).finish()
}

fn beside(suite: &Suite, environment: &[(&str, String)], record: &Mutex<Record>) -> Result<()> {
    let began = Instant::now();
    let (said, passed) = suite.run_beside(environment)?;
    let said = std::fs::read_to_string(said)?;
    let mut record = record.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    say(&format!("\n-- {}\n{}", suite.name(), said.trim()));
    record.took.push((suite.name(), began.elapsed()));
    if !passed {
        record.failed.push(suite.name());
    }
    Ok(())
}

/// What became of the programs so far.
#[derive(Default)]
struct Record {
    took: Vec<(String, Duration)>,
    failed: Vec<String>,
}

impl Record {
    fn finish(mut self) -> Result<()> {
        self.took.sort_by_key(|(_, took)| std::cmp::Reverse(*took));
        say("\n-- the longest");
        for (name, took) in self.took.iter().take(15) {
            say(&format!("{:>7.1} s  {name}", took.as_secs_f64()));
        }
        ensure!(self.failed.is_empty(), "tests failed in: {}", self.failed.join(", "));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_programs_are_found_among_what_cargo_says() {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let line = |test: bool, executable: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"{}","target":{{"name":"it"}},"profile":{{"test":{test}}},"executable":{executable}}}"#,
                manifest.display()
            )
        };
        let said = [
            line(false, r#""/t/program""#),
            line(true, "null"),
            line(true, r#""/t/it""#),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
        ];
        let found = suites(&said.join("\n")).unwrap();
        let found: Vec<_> = found.iter().map(|suite| (suite.name(), suite.line())).collect();
        assert_eq!(found, [("xtask it".to_owned(), Line::Others)]);
        assert!(suites("").is_err());
    }
}
