//! Writes what is generated from the code and kept in the repository. A test of `files-manager` holds both.

use anyhow::Result;

use crate::shell::{cargo, output, root, say};

/// `cargo xtask openapi`
pub(crate) fn run() -> Result<()> {
    for (arguments, path) in
        [(["docs", "openapi"], "openapi/openapi.json"), (["docs", "settings"], "docs/configuration.md")]
    {
        let text = output(
            cargo(&["run", "--quiet", "--package", "files-manager", "--"])
                .args(arguments)
                // the page is built from the document, so making the document must not need the page
                .env("FILES_MANAGER_WEB_DIST", root().join("services/files-manager/placeholder")),
        )?;
        std::fs::write(root().join(path), text)?;
        say(&format!("wrote {path}"));
    }
    Ok(())
}
