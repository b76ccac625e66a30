//! The administrator's command of the service's program, on a real database.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

const SECRET: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

fn create(database: &str, uri: &str, email: &str, password: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_auth-service"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("FM_")) {
        command.env_remove(name);
    }
    let mut child = command
        .args(["admin", "create", "--email", email])
        .envs([("FM_MONGODB_URI", uri), ("FM_MONGODB_DATABASE", database), ("FM_BCRYPT_COST", "4")])
        .envs([("FM_INTERNAL_SECRET", SECRET), ("FM_MASTER_KEY", SECRET), ("FM_MONGODB_DEADLINE", "2s")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_first_administrator_is_made_once() {
    let uri = std::env::var("FM_TEST_MONGODB_URI")
        .expect("FM_TEST_MONGODB_URI names a MongoDB; `cargo xtask test` starts one and sets it");
    let database = format!("fm_command_{}", std::process::id());
    let weak = create(&database, &uri, "root", "short");
    assert_eq!(weak.status.code(), Some(64), "{}", said(&weak));
    assert!(said(&weak).contains("name@domain") && said(&weak).contains("8 characters"), "{}", said(&weak));
    let made = create(&database, &uri, "root@example.org", "correct horse");
    assert!(made.status.success(), "{}", said(&made));
    assert!(said(&made).starts_with("administrator "), "{}", said(&made));
    let again = create(&database, &uri, "other@example.org", "correct horse");
    assert_eq!(again.status.code(), Some(1), "{}", said(&again));
    assert!(said(&again).contains("there is an administrator"), "{}", said(&again));
}

#[test]
fn whoever_typed_it_is_told_that_the_database_does_not_answer() {
    let uri = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=500";
    let output = create("nowhere", uri, "root@example.org", "correct horse");
    assert_eq!(output.status.code(), Some(69), "{}", said(&output));
    assert!(!said(&output).is_empty());
}
