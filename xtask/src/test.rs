//! `cargo xtask test`: installs what is missing, runs every suite, and says how long each stage took.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;

use crate::install;
use crate::shell::{cargo, program, root, run, say};
use crate::stages::Stages;

/// What to run.
#[derive(Args)]
pub(crate) struct Options {
    /// Also what takes long: gigabytes, a folder of 100,000 entries, many kills
    #[arg(long)]
    long: bool,
    /// Only stages whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

/// What `--long` adds; the short run names it, so that nobody takes a short run for a whole one.
const LEFT_TO_LONG: &[&str] = &[
    "5 GiB up and down in constant memory",
    "a folder of 100,000 entries over HTTP",
    "hundreds of kills at random moments",
];

/// Packages of the mail test's server, with their versions.
const PYTHON: &[&str] = &["aiosmtpd==1.4.6"];

/// `cargo xtask test`
pub(crate) fn run_all(options: &Options) -> Result<()> {
    let mut stages = Stages::default();
    let wanted = |name: &str| options.only.as_deref().is_none_or(|only| name.contains(only));
    let web = root().join("web");
    let mut ran = 0;
    let mut stage = |name: &str, work: &mut dyn FnMut() -> Result<()>| {
        if wanted(name) {
            ran += 1;
            stages.stage(name, work)
        } else {
            Ok(())
        }
    };

    samples()?;
    stage("install", &mut || {
        install::debian(&[install::CHROMIUM])?;
        install::npm(&web)?;
        install::npm(&web.join("tests"))?;
        install::python(PYTHON).map(drop)
    })?;
    stage("page: lint, types, units", &mut || {
        for script in ["types", "lint", "check", "test"] {
            run(program("npm", &["run", "--silent", script]).current_dir(&web))?;
        }
        Ok(())
    })?;
    stage("the all-in-one by itself", &mut || {
        run(&mut cargo(&["build", "--package", "files-manager", "--locked"]))
    })?;
    stage("rust: units, contracts, services, embedded end to end", &mut || {
        let mut tests = cargo(&["test", "--workspace", "--locked"]);
        if options.long {
            tests.args(["--features", "files-manager/long"]);
        }
        tests.env("FM_TEST_SMTP_PYTHON", install::python(PYTHON)?);
        run(&mut tests)
    })?;
    stage("page: journeys in the browser", &mut || {
        run(&mut cargo(&[
            "test",
            "--package",
            "files-manager",
            "--locked",
            "--features",
            "browser",
            "--test",
            "browser",
        ]))
    })?;

    if ran == 0 {
        bail!("no stage has this in its name");
    }
    stages.summary();
    if !options.long {
        say(&format!("left to --long: {}", LEFT_TO_LONG.join("; ")));
    }
    Ok(())
}

fn samples() -> Result<()> {
    match std::env::var_os("FM_TEST_SAMPLES").map(PathBuf::from) {
        Some(folder) if folder.join("INDEX.tsv").is_file() => {
            say(&format!("sample files: {}", folder.display()))
        }
        Some(folder) => bail!("FM_TEST_SAMPLES names {}, where there is no INDEX.tsv", folder.display()),
        None => say(
            "sample files: the collection is not there (FM_TEST_SAMPLES is unset); the tests make files of each kind themselves",
        ),
    }
    Ok(())
}
