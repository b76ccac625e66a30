//! Uploads that come in several goes, by clients that others have written.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::process::{Command, Output};

/// tus-js-client, as pages and programs of Node use it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_for_javascript_uploads_and_resumes() {
    let mut node = Command::new("node");
    node.args(["--test", "--test-timeout=300000", "clients/tus.test.mjs"])
        .current_dir(below("../../web/tests"));
    let output = run(node).await;
    assert!(!String::from_utf8_lossy(&output.stdout).contains("# tests 0"), "there is no test");
}

/// tuspy, as programs of Python use it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_for_python_uploads_and_resumes() {
    let python = std::env::var("FM_TEST_TUS_PYTHON")
        .expect("FM_TEST_TUS_PYTHON is a Python that has tuspy; `cargo xtask test` makes one and sets it");
    let mut python = Command::new(python);
    python.args(["-B", "-m", "unittest", "tus_client"]).current_dir(below("tests/clients"));
    let output = run(python).await;
    assert!(!String::from_utf8_lossy(&output.stderr).contains("Ran 0 tests"), "there is no test");
}

fn below(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs a client's tests against a product of their own.
async fn run(mut tests: Command) -> Output {
    let running = support::fresh().await;
    let product = running.product();
    let ada = product.register("ada").await.unwrap();
    tests.env("FM_E2E_ADDRESS", &product.address).env("FM_E2E_TOKEN", &ada.token);
    let output = tokio::task::spawn_blocking(move || tests.output().unwrap()).await.unwrap();
    assert!(
        output.status.success(),
        "{}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
