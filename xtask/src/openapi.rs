//! Writes what is generated from the code and kept in the repository. The tests run this too and fail if something changes.

use anyhow::{Result, ensure};

use crate::shell::{cargo, output, root, say};

/// Which program prints it, asked how, and where it is kept.
const GENERATED: [(&str, &[&str], &str); 5] = [
    ("files-manager", &["docs", "openapi"], "openapi/openapi.json"),
    ("files-manager", &["docs", "settings"], "docs/configuration.md"),
    ("auth-service", &["settings"], "docs/services/auth-service.md"),
    ("file-service", &["settings"], "docs/services/file-service.md"),
    ("worker-service", &["settings"], "docs/services/worker-service.md"),
];

/// `cargo xtask openapi`
pub(crate) fn run() -> Result<()> {
    // the page is built from the document, so making the document must not need the page
    let placeholder = root().join("target/placeholder");
    std::fs::create_dir_all(&placeholder)?;
    std::fs::write(placeholder.join("index.html"), "<!doctype html>")?;
    for (package, asked, path) in GENERATED {
        let text = output(
            cargo(&["run", "--quiet", "--package", package, "--bin", package, "--"])
                .args(asked)
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
        GENERATED.iter().map(|(.., path)| Ok(std::fs::read(root().join(path))?)).collect()
    };
    let before = kept()?;
    run()?;
    ensure!(
        before == kept()?,
        "the generated documents were out of date: commit what `cargo xtask openapi` wrote"
    );
    Ok(())
}
