//! One request is followed through the whole program by its log.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test fails by panicking")]

mod support;

use support::Installation;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_goes_from_the_upload_to_its_thumbnails() {
    let [format, level] = e2e::trace::SETTINGS;
    let installation = Installation::fresh().with(format.0, format.1).with(level.0, level.1);
    let running = installation.start();
    let read = async || Ok(running.log_so_far());
    e2e::trace::a_picture_is_followed(&running.product(), read, read).await.unwrap();
}
