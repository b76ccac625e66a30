//! The administrator's command of the service's program, on a real database.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use testkit::servers::{Fault, FaultProxy, free_port};
use testkit::wait::soon;

const SECRET: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

fn create(database: &str, uri: &str, email: &str, password: &str) -> Output {
    admin(database, uri, &["create", "--email", email], password)
}

fn admin(database: &str, uri: &str, arguments: &[&str], password: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_auth-service"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("FM_")) {
        command.env_remove(name);
    }
    let mut child = command
        .arg("admin")
        .args(arguments)
        .envs([("FM_MONGODB_URI", uri), ("FM_MONGODB_DATABASE", database), ("FM_BCRYPT_COST", "4")])
        .env("FM_ACCOUNTS__MIN_PASSWORD", "10")
        .envs([("FM_INTERNAL_SECRET", SECRET), ("FM_MASTER_KEY", SECRET), ("FM_MONGODB_DEADLINE", "2s")])
        // named, and never asked
        .env("FM_REDIS_URL", "redis://127.0.0.1:1")
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
    assert!(said(&weak).contains("name@domain") && said(&weak).contains("10 characters"), "{}", said(&weak));
    let made = create(&database, &uri, "root@example.org", "correct horse");
    assert!(made.status.success(), "{}", said(&made));
    assert!(said(&made).starts_with("administrator "), "{}", said(&made));
    let again = create(&database, &uri, "other@example.org", "correct horse");
    assert_eq!(again.status.code(), Some(1), "{}", said(&again));
    assert!(said(&again).contains("there is an administrator"), "{}", said(&again));
}

/// A user of the original Files Manager in BSON.
fn old_user(number: u8, email: &str) -> Vec<u8> {
    let text = |name: &str, text: &str| {
        let length = u32::try_from(text.len() + 1).unwrap().to_le_bytes();
        [&[2][..], name.as_bytes(), &[0], &length, text.as_bytes(), &[0]].concat()
    };
    let id = [&b"\x07_id\0\x5f\x1f\x2f\xd6\0\0\0\0\0\0\0"[..], &[number]].concat();
    let password = text("password", "89cad29e3ebc1035b29b1478a8e70854f25fa2b2");
    let elements = [id, text("email", email), password].concat();
    let length = u32::try_from(elements.len() + 5).unwrap().to_le_bytes();
    [&length[..], &elements, &[0]].concat()
}

#[test]
fn accounts_of_the_original_are_taken_over_once() {
    let uri = std::env::var("FM_TEST_MONGODB_URI")
        .expect("FM_TEST_MONGODB_URI names a MongoDB; `cargo xtask test` starts one and sets it");
    let database = format!("fm_migrate_{}", std::process::id());
    let dump = tempfile::tempdir().unwrap();
    let users = [old_user(1, "bob@dylan.com"), old_user(2, "BOB@dylan.com"), old_user(3, "ada@example.org")];
    std::fs::write(dump.path().join("users.bson"), users.concat()).unwrap();
    let migrate = || admin(&database, &uri, &["migrate", "--dump", dump.path().to_str().unwrap()], "");
    for line in ["accounts taken over: 2", "accounts that were there: 2"] {
        let output = migrate();
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains(line) && said(&output).contains("not taken: 1"), "{}", said(&output));
    }
    let listed = said(&admin(&database, &uri, &["users", "list"], ""));
    assert_eq!(
        listed.lines().filter(|line| line.starts_with("5f1f2fd600000000000000")).count(),
        2,
        "{listed}"
    );
}

#[test]
fn whoever_typed_it_is_told_that_the_database_does_not_answer() {
    let uri = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=500";
    let output = create("nowhere", uri, "root@example.org", "correct horse");
    assert_eq!(output.status.code(), Some(69), "{}", said(&output));
    assert!(!said(&output).is_empty());
}

/// The address of the database that tests share, for a proxy before it.
fn port_of(uri: &str) -> u16 {
    let hosts = uri.trim_start_matches("mongodb://").split(['/', '?']).next().unwrap();
    hosts.rsplit(['@', ',']).next().unwrap().rsplit(':').next().unwrap().parse().unwrap()
}

/// Ended with the test.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_waits_for_its_database_lives_says_so_and_then_serves() {
    let uri = std::env::var("FM_TEST_MONGODB_URI")
        .expect("FM_TEST_MONGODB_URI names a MongoDB; `cargo xtask test` starts one and sets it");
    let proxy = FaultProxy::start(port_of(&uri)).await.unwrap();
    proxy.set(Fault::CutOff);
    let [public, internal, nowhere] = [(); 3].map(|()| format!("127.0.0.1:{}", free_port().unwrap()));
    let mut command = Command::new(env!("CARGO_BIN_EXE_auth-service"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("FM_")) {
        command.env_remove(name);
    }
    let (redis, amqp) = (format!("redis://{nowhere}"), format!("amqp://{nowhere}/%2f"));
    let mongodb = format!("mongodb://{}/?directConnection=true&retryWrites=false", proxy.address());
    let database = format!("fm_starting_{}", std::process::id());
    let settings: [(&str, &str); 10] = [
        ("FM_LISTEN", &public),
        ("FM_INTERNAL_LISTEN", &internal),
        ("FM_MONGODB_URI", &mongodb),
        ("FM_MONGODB_DATABASE", &database),
        ("FM_MONGODB_DEADLINE", "30s"),
        ("FM_REDIS_URL", &redis),
        ("FM_AMQP_URL", &amqp),
        ("FM_BCRYPT_COST", "4"),
        ("FM_INTERNAL_SECRET", SECRET),
        ("FM_MASTER_KEY", SECRET),
    ];
    let started = command.envs(settings).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut running = Running(started);
    #[expect(clippy::disallowed_methods, reason = "a probe as any program makes it")]
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = async |path: &str| {
        let answer = client.get(format!("http://{internal}{path}")).send().await.ok()?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Some((status, headers, answer.text().await.ok()?))
    };
    let until = async |path: &str, fits: &dyn Fn(u16, &str) -> bool| {
        soon(async {
            loop {
                if let Some((status, headers, body)) = ask(path).await
                    && fits(status, &body)
                {
                    return headers;
                }
            }
        })
        .await
    };

    until("/health/live", &|status, _| status == 200).await;
    until("/health/ready", &|status, body| {
        status == 503
            && body.contains(r#""status":"starting""#)
            && body.contains(r#""parts":{"mongodb":"unavailable"}"#)
    })
    .await;
    until("/metrics", &|status, body| status == 200 && body.contains("fm_http_requests_total")).await;
    let (status, headers, _) = ask("/internal/anything").await.unwrap();
    assert_eq!((status, headers.contains_key("fm-starting")), (503, true));
    std::net::TcpStream::connect(&public).expect_err("the gateway goes elsewhere");

    proxy.set(Fault::None);
    until("/health/ready", &|status, body| status == 200 && body.contains(r#""status":"ready""#)).await;
    until("/internal/anything", &|status, _| status != 503).await;
    drop(std::net::TcpStream::connect(&public).unwrap());
    assert!(running.0.try_wait().unwrap().is_none());
}
