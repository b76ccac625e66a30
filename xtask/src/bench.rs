//! `cargo xtask bench`: builds the product for release, installs its peers, and measures them in one run.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::install::{self, Debian};
use crate::servers::{self, Mongo};
use crate::shell::{cargo, program, root, run};

/// What is passed on.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    form: Option<Form>,
    /// Also build dufs, which takes some minutes the first time
    #[arg(long)]
    with_dufs: bool,
    /// Workloads and options of the measuring program; `-- --help` names them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// What is measured instead.
#[derive(Subcommand)]
enum Form {
    /// The services behind their gateway, with one replica each and with two, beside the all-in-one
    Distributed {
        /// Workloads and options of the measuring program; `-- --help` names them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// The page in headless Chromium: first load, folders, scrolling, uploads beside curl
    Web {
        /// Workloads and options of the measuring program; `-- --help` names them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// The queue of jobs, of the all-in-one and of the services, beside BullMQ and Kue
    Jobs {
        /// Workloads and options of the measuring program; `-- --help` names them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
}

const PEERS: &[Debian] = &[
    Debian { program: "nginx", package: "nginx-light" },
    Debian { program: "vipsthumbnail", package: "libvips-tools" },
];

const ZIP: Debian = Debian { program: "zip", package: "zip" };

const PYTHON: &[&str] = &["aiosmtpd==1.4.6", "copyparty", "Pillow"];

/// `cargo xtask bench`
pub(crate) fn run_bench(options: &Options) -> Result<()> {
    match &options.form {
        Some(Form::Distributed { rest }) => return services("distributed", &[], rest),
        Some(Form::Web { rest }) => return page(rest),
        Some(Form::Jobs { rest }) => {
            let queues = root().join("bench/queues");
            install::npm(&queues)?;
            return services("jobs", &["--queues".to_owned(), queues.to_string_lossy().into_owned()], rest);
        }
        None => {}
    }
    // the server's program lies outside the path of ordinary users
    if !Path::new("/usr/sbin/nginx").is_file() {
        install::debian(PEERS)?;
    }
    install::debian(&[ZIP])?;
    let tus = root().join("bench/tus");
    install::npm(&tus)?;
    let python = install::python(PYTHON)?;
    if options.with_dufs {
        let peers = root().join("target/peers");
        run(&mut program("cargo", &["install", "--locked", "dufs", "--root", &peers.to_string_lossy()]))?;
    }
    run(&mut cargo(&["build", "--release", "--locked", "--package", "files-manager"]))?;
    let mut bench = cargo(&["run", "--release", "--locked", "--package", "bench", "--"]);
    bench.arg("--program").arg(programs().join("files-manager"));
    bench.arg("--python").arg(python).arg("--tus").arg(tus);
    run(bench.args(&options.rest))
}

/// The page, in the browser of its tests.
fn page(rest: &[String]) -> Result<()> {
    install::debian(&[install::CHROMIUM])?;
    install::debian(install::SHELL)?;
    let tests = root().join("web/tests");
    install::npm(&tests)?;
    run(&mut cargo(&["build", "--release", "--locked", "--package", "files-manager"]))?;
    let mut bench = cargo(&["run", "--release", "--locked", "--package", "bench", "--", "web"]);
    bench.arg("--program").arg(programs().join("files-manager")).arg("--tests").arg(tests);
    run(bench.args(rest))
}

/// What is measured with the services: the word that chooses it, what it needs, and what is passed on.
fn services(word: &str, needs: &[String], rest: &[String]) -> Result<()> {
    install::debian(servers::DEBIAN)?;
    crate::gateway::install()?;
    let python = install::python(servers::PYTHON)?;
    let mut build = cargo(&["build", "--release", "--locked", "--bins"]);
    for package in ["files-manager", "auth-service", "file-service", "worker-service"] {
        build.args(["--package", package]);
    }
    run(&mut build)?;
    let mongo = Mongo::start(&python, "mongo")?;
    let mut bench =
        cargo(&["run", "--release", "--locked", "--package", "bench", "--features", "distributed", "--"]);
    bench.arg(word).arg("--programs").arg(programs()).args(needs);
    if let Some(pid) = mongo.pid() {
        bench.arg("--mongodb-pid").arg(pid.to_string());
    }
    // what all forms keep lies on one disk, beside the build
    let folder = programs().join("bench-data");
    std::fs::create_dir_all(&folder)?;
    bench.env("TMPDIR", &folder).env("FM_TEST_MONGODB_URI", &mongo.uri).env("FM_TEST_PROGRAMS", programs());
    run(bench.args(rest))
}

/// Where cargo puts programs that are built for release.
fn programs() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("release")
}
