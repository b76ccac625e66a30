//! The single program and the services behind their gateway answer alike, header field by header field.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use e2e::Product;
use e2e::stack::{Bucket, Options, Servers, Stack};
use e2e::transcript::transcript;
use testkit::servers::s3::S3Server;

async fn of_the_services(servers: &Servers, options: Options) -> Vec<String> {
    let stack = tokio::task::block_in_place(|| Stack::start(servers, &options)).unwrap();
    heard(&stack.product()).await
}

async fn heard(product: &Product) -> Vec<String> {
    transcript(product).await.unwrap_or_else(|error| panic!("{error:?}"))
}

/// What one has and the other has not, in the order of the conversation.
fn differences(single: &[String], services: &[String]) -> String {
    let only = |these: &[String], others: &[String], mark: &str| -> Vec<(usize, String)> {
        let missing = these.iter().enumerate().filter(|(_, line)| !others.contains(line));
        missing.map(|(place, line)| (place, format!("{mark} {line}"))).collect()
    };
    let mut lines = only(single, services, "single program:");
    lines.append(&mut only(services, single, "services:      "));
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_alike_in_both_forms() {
    // sign-ups are open to everyone in the services' tests
    let installation = support::Installation::fresh().with("FM_REGISTRATION", "open");
    let running = installation.start();
    let single = heard(&running.product()).await;
    let servers = Servers::start().await.unwrap();
    let on_disk = of_the_services(&servers, Options { replicas: 1, ..Options::of_tests().unwrap() }).await;
    assert!(single == on_disk, "contents on a shared disk\n{}", differences(&single, &on_disk));
    let s3 = S3Server::start().await.unwrap();
    let bucket = Some(Bucket::in_server(&s3).unwrap());
    let options = Options { replicas: 1, s3: bucket, ..Options::of_tests().unwrap() };
    let in_s3 = of_the_services(&servers, options).await;
    assert!(single == in_s3, "contents in S3\n{}", differences(&single, &in_s3));
}
