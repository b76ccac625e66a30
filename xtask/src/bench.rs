//! `cargo xtask bench`: builds the product for release, installs its peers, and measures them in one run.

use anyhow::Result;
use clap::Args;

use crate::install::{self, Debian};
use crate::shell::{cargo, program, root, run};

/// What is passed on.
#[derive(Args)]
pub(crate) struct Options {
    /// Also build dufs, which takes some minutes the first time
    #[arg(long)]
    with_dufs: bool,
    /// Workloads and options of the measuring program; `-- --help` names them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

const PEERS: &[Debian] = &[
    Debian { program: "nginx", package: "nginx-light" },
    Debian { program: "vipsthumbnail", package: "libvips-tools" },
];

const PYTHON: &[&str] = &["aiosmtpd==1.4.6", "copyparty", "Pillow"];

/// `cargo xtask bench`
pub(crate) fn run_bench(options: &Options) -> Result<()> {
    // the server's program lies outside the path of ordinary users
    if !std::path::Path::new("/usr/sbin/nginx").is_file() {
        install::debian(PEERS)?;
    }
    let python = install::python(PYTHON)?;
    if options.with_dufs {
        let peers = root().join("target/peers");
        run(&mut program("cargo", &["install", "--locked", "dufs", "--root", &peers.to_string_lossy()]))?;
    }
    run(&mut cargo(&["build", "--release", "--locked", "--package", "files-manager"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into);
    let mut bench = cargo(&["run", "--release", "--locked", "--package", "bench", "--"]);
    bench.arg("--program").arg(target.join("release/files-manager")).arg("--python").arg(python);
    run(bench.args(&options.rest))
}
