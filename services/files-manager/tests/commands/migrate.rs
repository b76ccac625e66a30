//! Taking over what the original project keeps.

use std::fs;

use e2e::contents::noise;
use e2e::product::send;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::dump::{Old, PASSWORD, PASSWORD_SHA1, id, node, user};
use super::{has_lines, run};
use crate::support::{Installation, Running};

fn migrate(
    installation: &Installation,
    old: &Old,
    more: &[&str],
    environment: &[(&str, &str)],
) -> (Option<i32>, String) {
    let arguments = old.arguments(more);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    run(installation, &arguments, environment)
}

/// Signs in by the classic API.
async fn connect(running: &Running, email: &str, password: &str) -> Option<String> {
    let request = running.product().request(Method::GET, "/connect").basic_auth(email, Some(password));
    let answer = send(request).await.unwrap();
    (answer.status == StatusCode::OK).then(|| answer.json().unwrap()["token"].as_str().unwrap().to_owned())
}

/// Asks the classic API; status and JSON.
async fn get(running: &Running, token: &str, path: &str) -> (u16, Value) {
    let answer = send(running.product().request(Method::GET, path).header("X-Token", token)).await.unwrap();
    (answer.status.as_u16(), answer.json().unwrap())
}

/// The bytes that the classic API gives to anybody, and the status.
async fn data(running: &Running, file: u32) -> (u16, Vec<u8>) {
    let path = format!("/files/{}/data", id(file));
    let answer = send(running.product().request(Method::GET, &path)).await.unwrap();
    (answer.status.as_u16(), answer.body.to_vec())
}

/// Two people who do everything right, and one of each thing that goes wrong.
fn odd() -> Old {
    let at = |name: &str| format!("/tmp/files_manager/{name}");
    let blob = |number: u32, owner: u32, kind: &str, name: &str, public: bool, path: &str| {
        node(number, owner, kind, name, public).text("localPath", &at(path))
    };
    let users = [
        user(1, "bob@dylan.com"),
        user(2, "BOB@Dylan.com"),
        user(3, "ada@example.org").oddities(),
        super::dump::Doc::default()
            .id("_id", &id(4))
            .text("email", "late@example.org")
            .text("password", "none"),
        super::dump::Doc::default().id("_id", &id(5)).int("email", 7),
        user(6, "  "),
    ];
    let files = [
        // a file comes before its folder, and a folder before the one that it is in
        blob(10, 1, "file", "in.txt", false, "in").id("parentId", &id(12)),
        node(12, 1, "folder", "inner", false).id("parentId", &id(11)),
        node(11, 1, "folder", "images", true).text("parentId", "0"),
        blob(13, 1, "image", "pixel.gif", true, "pixel").id("parentId", &id(11)).oddities(),
        blob(14, 1, "file", "large.bin", true, "deeper/large").int("parentId", 0),
        // two of one name, and one that is not allowed
        blob(15, 1, "file", "a.txt", true, "a1").text("parentId", "0"),
        blob(16, 1, "file", "a.txt", true, "a2").double("parentId", 0.0),
        blob(17, 1, "file", "../up\n.txt", false, "a2").text("parentId", "0"),
        // folders within one another, and a file in them
        node(21, 1, "folder", "ring 1", false).id("parentId", &id(22)),
        node(22, 1, "folder", "ring 2", false).id("parentId", &id(21)),
        blob(23, 1, "file", "in the ring", false, "in").id("parentId", &id(22)),
        // a folder that is gone, one of somebody else, one that is a file
        blob(24, 1, "file", "orphan", false, "in").id("parentId", &id(99)),
        blob(25, 3, "file", "guest", false, "in").id("parentId", &id(11)),
        blob(26, 1, "file", "in a file", false, "in").id("parentId", &id(15)),
        // what cannot be taken
        blob(31, 1, "file", "gone", true, "gone").text("parentId", "0"),
        node(32, 1, "file", "no path", false).text("parentId", "0"),
        node(33, 1, "file", "out", true).text("parentId", "0").text("localPath", "/tmp/../secret"),
        blob(34, 2, "file", "of the second bob", false, "in").text("parentId", "0"),
        blob(35, 1, "video", "of another type", false, "in").text("parentId", "0"),
        blob(15, 1, "file", "twice", false, "in").text("parentId", "0"),
    ];
    let old = Old::write(&users, &files);
    fs::write(old.path().join("secret"), "secret").unwrap();
    for (name, content) in [("in", &b"in"[..]), ("pixel", b"GIF89a"), ("a1", b"first"), ("a2", b"second")] {
        old.blob(name, content);
    }
    old.blob("deeper/large", &noise(300_000, 5));
    // thumbnails of the original stay behind
    old.blob("pixel_500", b"small");
    old
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_original_keeps_is_taken_over_and_the_classic_api_shows_it_as_before() {
    let (installation, old) = (Installation::fresh(), odd());
    let counts = [
        "accounts taken over: 3",
        "folders taken over: 4",
        "files taken over: 10",
        "of these open to everybody: 5",
        "taken in another form: 7",
        "not taken: 9",
    ];
    let (status, dry) = migrate(&installation, &old, &["--dry-run"], &[]);
    assert_eq!(status, Some(1), "{dry}");
    has_lines(&dry, &["nothing was changed: this was a dry run"]);
    has_lines(&dry, &counts);
    // the dry run has left everything to do
    let (status, report) = migrate(&installation, &old, &[], &[]);
    assert_eq!(status, Some(1), "{report}");
    has_lines(&report, &counts);
    assert_eq!(dry.lines().skip(1).collect::<Vec<_>>(), report.lines().collect::<Vec<_>>());
    let of = |kind: &str, number: u32, name: &str| format!("{kind} {} “{name}”:", id(number));
    for line in [
        format!("account {} “late@example.org”: its password is no SHA-1", id(4)),
        format!("{} its folders lie inside one another", of("folder", 21, "ring 1")),
        format!("{} its folder has another of this name; it is called “a (2).txt”", of("file", 16, "a.txt")),
        format!("{} its name is not allowed here", of("file", 17, "../up\u{fffd}.txt")),
        format!("{} its folder is not there, or is none", of("file", 24, "orphan")),
        format!("{} its folder belongs to another account", of("file", 25, "guest")),
        format!("{} its folder is not there, or is none", of("file", 26, "in a file")),
        format!("account {} “BOB@Dylan.com”: account {} has the same address", id(2), id(1)),
        "user number 5 of the dump: it has no email".to_owned(),
        format!("account {} “  ”: the address is empty", id(6)),
        format!("{} its content /tmp/files_manager/gone is missing", of("file", 31, "gone")),
        format!("{} it has no localPath", of("file", 32, "no path")),
        format!("{} its content /tmp/../secret lies outside", of("file", 33, "out")),
        format!("{} its account was not taken", of("file", 34, "of the second bob")),
        "file number 19 of the dump: its type is neither".to_owned(),
        format!("{} its id was in the dump before", of("file", 15, "twice")),
    ] {
        has_lines(&report, &[&line]);
    }

    let running = installation.start();
    // somebody's key to the database of the original opens nothing
    assert_eq!(connect(&running, "bob@dylan.com", PASSWORD_SHA1).await, None);
    assert_eq!(connect(&running, "bob@dylan.com", "toto1234").await, None);
    let bob = connect(&running, "bob@dylan.com", PASSWORD).await.unwrap();
    let (_, me) = get(&running, &bob, "/users/me").await;
    assert_eq!(me, json!({"id": id(1), "email": "bob@dylan.com"}));
    for (number, name, kind, public, parent) in [
        (10, "in.txt", "file", false, json!(id(12))),
        (11, "images", "folder", true, json!(0)),
        (12, "inner", "folder", false, json!(id(11))),
        (13, "pixel.gif", "image", true, json!(id(11))),
        (14, "large.bin", "file", true, json!(0)),
        (15, "a.txt", "file", true, json!(0)),
        (16, "a.txt", "file", true, json!(0)),
        (21, "ring 1", "folder", false, json!(0)),
        (22, "ring 2", "folder", false, json!(id(21))),
        (23, "in the ring", "file", false, json!(id(22))),
        (24, "orphan", "file", false, json!(0)),
    ] {
        let shown = get(&running, &bob, &format!("/files/{}", id(number))).await;
        let file = json!({"id": id(number), "userId": id(1), "name": name, "type": kind, "isPublic": public, "parentId": parent});
        assert_eq!(shown, (200, file));
    }
    assert_eq!(data(&running, 13).await, (200, b"GIF89a".to_vec()));
    assert_eq!(data(&running, 14).await, (200, noise(300_000, 5)));
    assert_eq!(data(&running, 15).await, (200, b"first".to_vec()));
    assert_eq!(data(&running, 16).await, (200, b"second".to_vec()));
    assert_eq!(data(&running, 10).await.0, 404, "what was closed is closed");
    assert_eq!(data(&running, 31).await.0, 404);
    let (_, root) = get(&running, &bob, "/files").await;
    assert_eq!(root.as_array().unwrap().len(), 8, "{root}");

    // the first sign-in has replaced the hash, and the password goes on
    assert!(connect(&running, "BOB@dylan.com", PASSWORD).await.is_some());
    assert!(connect(&running, "late@example.org", PASSWORD).await.is_none());
    let ada = connect(&running, "ada@example.org", PASSWORD).await.unwrap();
    let (_, guest) = get(&running, &ada, &format!("/files/{}", id(25))).await;
    assert_eq!((&guest["parentId"], &guest["userId"]), (&json!(0), &json!(id(3))));
    let (_, stats) = get(&running, &ada, "/stats").await;
    assert_eq!(stats, json!({"users": 3, "files": 14}));

    // while the product runs it has the data folder for itself
    let (status, refused) = migrate(&installation, &old, &[], &[]);
    assert_eq!(status, Some(73), "{refused}");
    assert!(refused.contains("is in use by process"), "{refused}");
    let (_, log) = running.stop();
    assert_eq!(log.matches("password hash upgraded").count(), 2, "once for each of the two: {log}");

    // run again, it changes nothing but what was not there the first time
    old.blob("gone", b"found again");
    let (status, again) = migrate(&installation, &old, &[], &[]);
    assert_eq!(status, Some(1), "{again}");
    has_lines(
        &again,
        &[
            "accounts that were there: 3",
            "folders that were there: 4",
            "files that were there: 10",
            "files taken over: 1",
            "not taken: 8",
        ],
    );
    assert!(!again.contains("accounts taken over") && !again.contains("folders taken over"), "{again}");
    let running = installation.start();
    assert_eq!(data(&running, 31).await, (200, b"found again".to_vec()));
    assert!(connect(&running, "bob@dylan.com", PASSWORD).await.is_some());
    let (_, stats) = get(&running, &ada, "/stats").await;
    assert_eq!(stats, json!({"users": 3, "files": 15}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_come_into_the_trash_comes_into_the_root() {
    let at = |number: u32, parent: u32| {
        node(number, 1, "file", &format!("{number}.bin"), false)
            .text("localPath", &number.to_string())
            .id("parentId", &id(parent))
    };
    let files = [
        node(11, 1, "folder", "outer", false).text("parentId", "0"),
        node(12, 1, "folder", "inner", false).id("parentId", &id(11)),
        at(13, 12),
        at(14, 11),
    ];
    let (installation, old) = (Installation::fresh(), Old::write(&[user(1, "bob@dylan.com")], &files));
    let (status, first) = migrate(&installation, &old, &[], &[]);
    assert_eq!(status, Some(1), "{first}");
    let running = installation.start();
    let product = running.product();
    let bob = product.login("bob@dylan.com", PASSWORD).await.unwrap();
    let trash = product.as_user(&bob, Method::DELETE, &format!("/api/v1/files/{}", id(11)));
    send(trash).await.unwrap().expect(204).unwrap();
    running.stop();
    // the contents are found by now, and their folder is not where it was
    old.blob("13", b"thirteen");
    old.blob("14", b"fourteen");
    let (status, report) = migrate(&installation, &old, &[], &[]);
    assert_eq!(status, Some(0), "{report}");
    for number in [13, 14] {
        has_lines(
            &report,
            &[&format!("file {} “{number}.bin”: its folder is in the trash here", id(number))],
        );
    }
    let running = installation.start();
    let product = running.product();
    let bob = product.login("bob@dylan.com", PASSWORD).await.unwrap();
    let names: Vec<_> =
        product.children(&bob, "root").await.unwrap().iter().map(|file| file["name"].clone()).collect();
    assert_eq!(names, ["13.bin", "14.bin"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_step_it_goes_on_and_a_dump_that_is_cut_changes_nothing() {
    let users = [user(1, "bob@dylan.com"), user(3, "ada@example.org")];
    let files: Vec<_> = (10..16)
        .map(|n| {
            node(n, 1, "file", &format!("{n}.bin"), true)
                .text("parentId", "0")
                .text("localPath", &n.to_string())
        })
        .collect();
    let (installation, old) = (Installation::fresh(), Old::write(&users, &files));
    for n in 10..16_u32 {
        old.blob(&n.to_string(), &noise(if n % 2 == 0 { 40_000 } else { 400 }, u64::from(n)));
    }
    let whole = fs::read(old.dump().join("files_manager/users.bson")).unwrap();
    fs::write(old.dump().join("files_manager/users.bson"), &whole[..whole.len() - 3]).unwrap();
    let (status, refused) = migrate(&installation, &old, &[], &[]);
    assert_eq!(status, Some(64), "{refused}");
    assert!(refused.contains("users.bson") && refused.contains("ends within a document"), "{refused}");
    fs::write(old.dump().join("files_manager/users.bson"), &whole).unwrap();

    // each time one more file is there, or one content without its file
    for point in ["upload.after-blob#1", "upload.after-commit#2", "upload.in-body#1", "upload.after-blob#2"] {
        let (status, said) = migrate(&installation, &old, &[], &[("FM_TEST_CRASH_AT", point)]);
        assert_eq!(status, None, "it was killed at {point}: {said}");
    }
    let (status, report) = migrate(&installation, &old, &[], &[]);
    assert_eq!(status, Some(0), "{report}");
    has_lines(
        &report,
        &["accounts that were there: 2", "files that were there: 3", "files taken over: 3", "not taken: 0"],
    );
    let running = installation.start();
    for n in 10..16_u32 {
        let content = noise(if n % 2 == 0 { 40_000 } else { 400 }, u64::from(n));
        assert_eq!(data(&running, n).await, (200, content), "{n}");
    }
}
