//! Writes what is generated from the code and kept in the repository. The tests run this too and fail if something changes.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::shell::{output, root, run as run_program, say};
use crate::up;

/// Which program prints it, asked how, and where it is kept.
const GENERATED: [(&str, &[&str], &str); 5] = [
    ("files-manager", &["docs", "openapi"], "openapi/openapi.json"),
    ("files-manager", &["docs", "settings"], "docs/configuration.md"),
    ("auth-service", &["settings"], "docs/services/auth-service.md"),
    ("file-service", &["settings"], "docs/services/file-service.md"),
    ("worker-service", &["settings"], "docs/services/worker-service.md"),
];

/// Names a page that is there, which is not built then.
pub(crate) const PAGE: &str = "FILES_MANAGER_WEB_DIST";

/// `cargo xtask openapi`
pub(crate) fn run() -> Result<()> {
    // all at once, so that what they share is built once
    let mut build = up::build_services();
    // the page is built from the document, so making the document must not need the page
    build.args(["--package", "files-manager", "--quiet"]).env(PAGE, no_page()?);
    run_program(&mut build)?;
    write()
}

/// A page with nothing on it, where the real one need not be built.
pub(crate) fn no_page() -> Result<PathBuf> {
    let folder = root().join("target/placeholder");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("index.html"), "<!doctype html>")?;
    Ok(folder)
}

/// What the programs that are built print.
fn write() -> Result<()> {
    for (name, asked, path) in GENERATED {
        let text = output(Command::new(up::programs().join(name)).args(asked))?;
        std::fs::write(root().join(path), text)?;
        say(&format!("wrote {path}"));
    }
    Ok(())
}

/// Writes what the programs print that are built, and fails if it is not what was there.
pub(crate) fn check() -> Result<()> {
    let kept = || -> Result<Vec<Vec<u8>>> {
        GENERATED.iter().map(|(.., path)| Ok(std::fs::read(root().join(path))?)).collect()
    };
    let before = kept()?;
    write()?;
    ensure!(
        before == kept()?,
        "the generated documents were out of date: commit what `cargo xtask openapi` wrote"
    );
    Ok(())
}
