//! `cargo xtask up`: the whole distributed form on this machine, from real servers, until Ctrl-C or `SIGTERM`.

use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::servers::{self, Mongo};
use crate::shell::{Stoppable, cargo, root, run};
use crate::{gateway, install, openapi};

/// How much of it.
#[derive(Args)]
pub(crate) struct Options {
    /// Replicas of each service
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    replicas: u16,
}

/// `cargo xtask up`
pub(crate) fn run_up(options: &Options) -> Result<()> {
    install::debian(servers::DEBIAN)?;
    gateway::install()?;
    let python = install::python(servers::PYTHON)?;
    // its build script makes the page that the gateway serves
    run(&mut cargo(&["build", "--package", "files-manager", "--locked"]))?;
    let programs = build_programs()?;
    let stoppable = Stoppable::new()?;
    let mongo = Mongo::start(&python, "mongo")?;
    let mut up = cargo(&[
        "run",
        "--quiet",
        "--locked",
        "--package",
        "e2e",
        "--features",
        "stack",
        "--bin",
        "up",
        "--",
    ]);
    up.arg(options.replicas.to_string())
        .env("FM_TEST_MONGODB_URI", &mongo.uri)
        .env("FM_TEST_PROGRAMS", programs)
        .env("FM_TEST_PAGE", page()?);
    stoppable.run(up)
}

/// Builds the services' programs; the folder in which they are.
fn build_programs() -> Result<PathBuf> {
    run(&mut build_services())?;
    Ok(programs())
}

/// A build of the services' programs.
pub(crate) fn build_services() -> Command {
    let mut build = cargo(&["build", "--locked", "--bins"]);
    for service in ["auth-service", "file-service", "worker-service"] {
        build.args(["--package", service]);
    }
    build
}

/// Where cargo puts programs.
pub(crate) fn programs() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("debug")
}

/// The page that programs are built with: the one that was named to the build, else the one that it made or looked at last.
pub(crate) fn page() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os(openapi::PAGE) {
        return Ok(std::path::absolute(named)?);
    }
    let built = std::fs::read_dir(root().join("target/web"))?
        .map(|entry| {
            let page = entry?.path();
            let at = page.join("index.html").metadata().and_then(|file| file.modified());
            Ok(at.ok().map(|at| (at, page)))
        })
        .collect::<Result<Vec<Option<(SystemTime, PathBuf)>>>>()?;
    let newest = built.into_iter().flatten().max();
    Ok(newest.context("no page was built below target/web")?.1)
}
