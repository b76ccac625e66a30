//! What is generated from the code and kept in the repository is what the code says.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use support::Installation;

fn docs(what: &str) -> String {
    let output = Installation::fresh().command().args(["docs", what]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn kept(path: &str) -> String {
    std::fs::read_to_string(format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn the_openapi_document_is_what_the_code_says() {
    assert!(
        docs("openapi") == kept("openapi/openapi.json"),
        "run `cargo xtask openapi` and commit what it writes"
    );
}

#[test]
fn the_reference_of_settings_is_what_the_code_says() {
    assert!(
        docs("settings") == kept("docs/configuration.md"),
        "run `cargo xtask openapi` and commit what it writes"
    );
}
