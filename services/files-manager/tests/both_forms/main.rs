//! The single program and the services behind their gateway answer alike, header field by header field; and what one holds goes over to the other.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../commands/dump.rs"]
mod dump;
mod portable;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;

use dump::{Old, PASSWORD, id, node, user};
use e2e::Product;
use e2e::contents::noise;
use e2e::product::send;
use e2e::stack::{Bucket, Options, Servers, Stack};
use e2e::transcript::transcript;
use reqwest::Method;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_services_take_the_original_over_and_bring_folders_in_while_they_run() {
    let servers = Servers::start().await.unwrap();
    let options = Options { replicas: 1, ..Options::of_tests().unwrap() };
    let mut stack = tokio::task::block_in_place(|| Stack::start(&servers, &options)).unwrap();
    let users = [user(1, "bob@dylan.com"), user(2, "BOB@dylan.com")];
    let files = [
        node(11, 1, "folder", "images", true).text("parentId", "0"),
        node(12, 1, "file", "a.txt", true)
            .id("parentId", &id(11))
            .text("localPath", "/tmp/files_manager/one"),
        node(13, 1, "file", "a.txt", false)
            .id("parentId", &id(11))
            .text("localPath", "/tmp/files_manager/two"),
        node(14, 2, "file", "of the second bob", true).text("parentId", "0").text("localPath", "one"),
    ];
    let old = Old::write(&users, &files);
    let content = noise(300_000, 1);
    old.blob("one", &content);
    old.blob("two", b"two");
    let (dump, blobs) = (old.dump(), old.path().join("blobs"));
    let (dump, blobs) = (dump.to_str().unwrap(), blobs.to_str().unwrap());
    let programs = stack.programs().to_owned();
    let mut run = |program: &str, arguments: &[&str], lines: &[&str]| {
        let output = stack.replica(program, 0).run(&programs, arguments).unwrap();
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        for line in lines {
            assert!(said.contains(line), "no “{line}” in:\n{said}");
        }
    };
    for (accounts, files) in [
        ("accounts taken over: 1", ["folders taken over: 1", "files taken over: 2"]),
        ("accounts that were there: 1", ["folders that were there: 1", "files that were there: 2"]),
    ] {
        run("auth-service", &["admin", "migrate", "--dump", dump], &[accounts, "not taken: 1"]);
        let arguments = ["admin", "migrate", "--dump", dump, "--blobs", blobs];
        run("file-service", &arguments, &[files[0], files[1], "not taken: 1", "its account was not taken"]);
    }
    for line in ["files brought in: 2", "files that were there: 2"] {
        let arguments = ["admin", "import", "--user", "BOB@dylan.com", "--into", "From disk", blobs];
        run("file-service", &arguments, &[line, "not taken: 0"]);
    }

    let product = stack.product();
    let public = send(product.request(Method::GET, &format!("/files/{}/data", id(12)))).await.unwrap();
    assert!(public.expect(200).unwrap().body == content);
    let bob = product.login("bob@dylan.com", PASSWORD).await.unwrap();
    let names = async |folder: &str| {
        let children = product.children(&bob, folder).await.unwrap();
        children.iter().map(|child| child["name"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let expected = |names: [&str; 2]| BTreeSet::from(names.map(str::to_owned));
    assert_eq!(names("root").await, expected(["From disk", "images"]));
    assert_eq!(names(&id(11)).await, expected(["a (2).txt", "a.txt"]));
}
