//! Brings what the tests need and the machine lacks: Debian packages, npm packages, a Python virtual environment.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::shell::{has, program, root, run, say};

/// A program and the Debian package that brings it.
pub(crate) struct Debian {
    /// On the path when it is there.
    pub(crate) program: &'static str,
    /// To be installed when it is not.
    pub(crate) package: &'static str,
}

/// The browser of the page's tests.
pub(crate) const CHROMIUM: Debian = Debian { program: "chromium", package: "chromium" };
/// What the examples in shell use, those of the guides too.
pub(crate) const SHELL: &[Debian] =
    &[Debian { program: "curl", package: "curl" }, Debian { program: "jq", package: "jq" }];
/// Makes virtual environments.
const VENV: &str = "python3-venv";

/// Installs those that are missing.
pub(crate) fn debian(wanted: &[Debian]) -> Result<()> {
    let missing: Vec<_> = wanted.iter().filter(|one| !has(one.program)).map(|one| one.package).collect();
    install(&missing)
}

fn install(missing: &[&str]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    if !has("apt-get") {
        bail!("the tests need {}: this system has no apt-get, so install them by hand", missing.join(", "));
    }
    say(&format!("installing {}", missing.join(", ")));
    let elevate: &[&str] = if is_root() { &[] } else { &["sudo"] };
    let apt = |arguments: &[&str]| {
        let words: Vec<_> = elevate.iter().chain(&["apt-get"]).chain(arguments).copied().collect();
        run(program(words[0], &words[1..]).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    apt(&["update", "-q"])?;
    apt(&[&["install", "-y", "-q", "--no-install-recommends"], missing].concat())
}

/// Installs a folder's npm packages by its lock file, unless that was done for this lock file already.
pub(crate) fn npm(folder: &Path) -> Result<()> {
    if !has("npm") {
        bail!("npm is not on the path: install Node 20.19, or 22.12 or later");
    }
    let lock = std::fs::read(folder.join("package-lock.json"))?;
    let stamp = folder.join("node_modules/.installed-lock.json");
    if std::fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    run(program("npm", &["ci", "--no-audit", "--no-fund"]).current_dir(folder))?;
    std::fs::write(stamp, lock)?;
    Ok(())
}

/// A virtual environment below `target/` that has these requirements; the path of its Python.
pub(crate) fn python(requirements: &[&str]) -> Result<PathBuf> {
    let folder = root().join("target/venv");
    let python = folder.join("bin/python");
    let stamp = folder.join("requirements.txt");
    let wanted = requirements.join("\n");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    // Debian keeps the module that makes environments apart from Python
    let complete = program("python3", &["-c", "import ensurepip, venv"])
        .output()
        .is_ok_and(|probe| probe.status.success());
    if !complete {
        install(&[VENV])?;
    }
    run(&mut program("python3", &["-m", "venv", &folder.to_string_lossy()]))?;
    let mut pip = program(&python.to_string_lossy(), &["-m", "pip", "install", "-q"]);
    run(pip.args(requirements))?;
    std::fs::write(stamp, wanted)?;
    Ok(python)
}

fn is_root() -> bool {
    crate::shell::output(&mut program("id", &["-u"])).is_ok_and(|id| id.trim() == "0")
}
