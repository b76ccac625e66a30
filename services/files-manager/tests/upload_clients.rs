//! Uploads that come in several goes, by clients that others have written.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::process::Command;

/// tus-js-client, as pages and programs of Node use it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_for_javascript_uploads_and_resumes() {
    let running = support::fresh().await;
    let product = running.product();
    let ada = product.register("ada").await.unwrap();
    let output = Command::new("node")
        .args(["--test", "--test-timeout=300000", "clients/tus.test.mjs"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/tests"))
        .env("FM_E2E_ADDRESS", &product.address)
        .env("FM_E2E_TOKEN", &ada.token)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{}\n{said}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(!said.contains("# tests 0"), "there is no test");
}
