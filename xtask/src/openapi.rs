//! Writes what is generated from the code and kept in the repository. A test of `files-manager` holds both.

use anyhow::{Result, ensure};

use crate::shell::{cargo, output, root, say};

/// What the program prints, and where it is kept.
const GENERATED: [(&str, &str); 2] =
    [("openapi", "openapi/openapi.json"), ("settings", "docs/configuration.md")];

/// `cargo xtask openapi`
pub(crate) fn run() -> Result<()> {
    // the page is built from the document, so making the document must not need the page
    let placeholder = root().join("target/placeholder");
    std::fs::create_dir_all(&placeholder)?;
    std::fs::write(placeholder.join("index.html"), "<!doctype html>")?;
    for (what, path) in GENERATED {
        let text = output(
            cargo(&["run", "--quiet", "--package", "files-manager", "--"])
                .args(["docs", what])
                .env("FILES_MANAGER_WEB_DIST", &placeholder),
        )?;
        std::fs::write(root().join(path), text)?;
        say(&format!("wrote {path}"));
    }
    Ok(())
}

/// Runs the command and fails if what it wrote is not what was there.
pub(crate) fn check() -> Result<()> {
    let kept = || -> Result<Vec<Vec<u8>>> {
        GENERATED.iter().map(|(_, path)| Ok(std::fs::read(root().join(path))?)).collect()
    };
    let before = kept()?;
    run()?;
    ensure!(
        before == kept()?,
        "the generated documents were out of date: commit what `cargo xtask openapi` wrote"
    );
    Ok(())
}
