//! `cargo xtask test`: installs what is missing, runs every suite, and says how long each stage took.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;

use crate::install;
use crate::openapi;
use crate::servers::{self, Mongo};
use crate::shell::{cargo, program, root, run, say};
use crate::stages::Stages;
use crate::suites::{self, Suite};
use crate::up;

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
    "dozens of kills at random moments",
    "all of the page's journeys through the gateway",
    "servers that are slow or restarted, and kills at every other point, under load",
    "each service a commit older than the others",
    "random work on the job stores by fifty seeds that were never tried",
    "the longest queues and lists of the contracts",
];

/// Features that turn on the tests which need servers, and those which need a browser.
const FEATURES: &str = "files-manager/servers,files-manager/browser,auth-service/servers,file-service/servers,worker-service/servers,store-mongo/servers,bus-amqp/servers,cache-redis/servers,blob/s3,blob/servers,e2e/stack,e2e/browser";

/// `cargo xtask test`
pub(crate) fn run_all(options: &Options) -> Result<()> {
    let mut stages = Stages::only(options.only.as_deref());
    let web = root().join("web");
    samples()?;
    stages.stage("install", || {
        install::debian(&[install::CHROMIUM])?;
        install::debian(install::SHELL)?;
        install::debian(servers::DEBIAN)?;
        crate::gateway::install()?;
        install::npm(&web)?;
        install::npm(&web.join("tests"))?;
        install::python(servers::PYTHON).map(drop)
    })?;
    stages.stage("page: lint, types, units", || {
        for script in ["types", "lint", "check", "test"] {
            run(program("npm", &["run", "--silent", script]).current_dir(&web))?;
        }
        Ok(())
    })?;
    stages.stage("compose files", crate::compose::check)?;
    // the workspace's tests build it with what others need turned on
    stages.stage("the all-in-one by itself", || {
        let mut check = cargo(&["check", "--package", "files-manager", "--locked"]);
        run(check.env(openapi::PAGE, openapi::no_page()?))
    })?;
    let long = if options.long { ",files-manager/long,testkit/long,e2e/long" } else { "" };
    let mut tests = Tests { features: format!("{FEATURES}{long}"), built: None };
    stages.stage("build of all tests", || tests.built().map(drop))?;
    stages.stage("generated documents, by their command", || {
        tests.built()?;
        openapi::check()
    })?;
    stages
        .apart("rust: units, contracts, services, both forms end to end", || rust(&mut tests, options.long));
    stages.apart("page: journeys in the browser; other people's clients", || page(&mut tests));

    stages.finish()?;
    if !options.long {
        say(&format!("left to --long: {}", LEFT_TO_LONG.join("; ")));
    }
    Ok(())
}

/// The workspace's tests, built when they are first needed, and once.
struct Tests {
    features: String,
    built: Option<Vec<Suite>>,
}

impl Tests {
    fn built(&mut self) -> Result<&[Suite]> {
        if self.built.is_none() {
            self.built = Some(suites::build(&self.features)?);
        }
        Ok(self.built.as_deref().unwrap_or_default())
    }
}

fn rust(tests: &mut Tests, is_long: bool) -> Result<()> {
    let python = install::python(servers::PYTHON)?;
    let (contracts, mongo) = (Mongo::start(&python, "contracts")?, Mongo::start(&python, "mongo")?);
    let python = python.to_string_lossy().into_owned();
    let mut environment = vec![
        ("FM_TEST_SMTP_PYTHON", python.clone()),
        // for tests that kill a server of their own
        ("FM_TEST_SECANTUS_PYTHON", python),
        // cargo builds the services' programs for their own tests
        ("FM_TEST_PROGRAMS", up::programs().to_string_lossy().into_owned()),
    ];
    if is_long {
        let previous = crate::previous::programs()?.to_string_lossy().into_owned();
        environment.push(("FM_TEST_PREVIOUS_PROGRAMS", previous));
    }
    let with = |mongo: &Mongo| {
        let mut environment = environment.clone();
        environment.push(("FM_TEST_MONGODB_URI", mongo.uri.clone()));
        environment
    };
    let tested = suites::run(tests.built()?, &with(&contracts), &with(&mongo));
    // the programs are run by us, examples in documentation by cargo alone; the former do not hide the latter
    let features = ["--features", &tests.features];
    run(cargo(&["test", "--workspace", "--locked", "--doc", "--quiet"]).args(features))?;
    tested
}

fn page(tests: &mut Tests) -> Result<()> {
    // it makes the page
    let suites = tests.built()?;
    let python = install::python(servers::PYTHON)?;
    let mongo = Mongo::start(&python, "page")?;
    let environment = [
        ("FM_TEST_MONGODB_URI", mongo.uri.clone()),
        ("FM_TEST_TUS_PYTHON", python.to_string_lossy().into_owned()),
        ("FM_TEST_PROGRAMS", up::programs().to_string_lossy().into_owned()),
        ("FM_TEST_PAGE", up::page()?.to_string_lossy().into_owned()),
    ];
    suites::run_page(suites, &environment)
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
