//! The services' programs of the commit before this one, which run beside the new ones while an installation is upgraded.

use std::fs::{create_dir_all, remove_dir_all};
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::shell::{output, program, root, run};
use crate::up::build_services;

/// Builds them from the history, beside what cargo builds here; the folder in which they are.
///
/// # Errors
/// If there is no commit before this one, as in a shallow clone, or it cannot be built.
pub(crate) fn programs() -> Result<PathBuf> {
    let folder = root().join("target/previous");
    let (source, target) = (folder.join("source"), folder.join("target"));
    let commit = output(&mut program("git", &["rev-parse", "--verify", "HEAD^"]))
        .context("the commit before this one is not in the history that is here")?;
    if source.exists() {
        remove_dir_all(&source)?;
    }
    create_dir_all(&source)?;
    let archive = folder.join("source.tar");
    let (to, from) = (archive.to_string_lossy(), source.to_string_lossy());
    run(&mut program("git", &["archive", "--format=tar", "-o", &to, commit.trim()]))?;
    run(&mut program("tar", &["-x", "-f", &to, "-C", &from]))?;
    run(build_services().current_dir(&source).env("CARGO_TARGET_DIR", &target))?;
    Ok(target.join("debug"))
}
