//! How the program starts, refuses to start, and stops; administrator's commands while it is stopped.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and waits for each of its tasks"
)]

mod commands;
mod support;

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use e2e::product::send;
use reqwest::Method;
use rustix::process::Signal;
use serde_json::json;
use support::Installation;

fn said(output: &std::process::Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn help_names_every_setting() {
    let output = Installation::fresh().command().arg("--help").output().unwrap();
    let help = said(&output);
    assert!(output.status.success(), "{help}");
    for setting in ["FM_DATA_DIR", "FM_LISTEN", "FM_PUBLIC_URL", "admin", "docs"] {
        assert!(help.contains(setting), "{setting} is not in:\n{help}");
    }
}

#[test]
fn a_misspelt_setting_is_named_with_the_nearest_known_one() {
    let output = Installation::fresh().command().env("FM_DATA_DRI", "x").output().unwrap();
    assert_eq!(output.status.code(), Some(64), "{}", said(&output));
    assert!(
        said(&output).contains("FM_DATA_DRI") && said(&output).contains("FM_DATA_DIR"),
        "{}",
        said(&output)
    );
}

#[test]
fn a_wrong_value_is_named_with_its_key() {
    let output = Installation::fresh().command().env("FM_LISTEN", "nowhere").output().unwrap();
    assert_eq!(output.status.code(), Some(64), "{}", said(&output));
    assert!(said(&output).contains("FM_LISTEN"), "{}", said(&output));
}

#[test]
fn secrets_are_for_the_owner_alone() {
    let installation = Installation::fresh();
    let running = installation.start();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&installation.data()), 0o700);
    let secrets = support::files_below(&installation.data().join("secrets"));
    assert!(!secrets.is_empty());
    for secret in secrets {
        assert_eq!(mode(&secret), 0o600, "{}", secret.display());
    }
    drop(running);
}

#[test]
fn a_second_start_on_one_data_folder_is_refused() {
    let installation = Installation::fresh();
    let running = installation.start();
    let output = installation.command().output().unwrap();
    assert_eq!(output.status.code(), Some(73), "{}", said(&output));
    assert!(said(&output).contains(&running.id().to_string()), "{}", said(&output));
    drop(running);
    installation.start();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lets_running_requests_end_and_everything_survives() {
    let installation = Installation::fresh().with("FM_STOP__DRAIN", "2s");
    let running = installation.start();
    let product = running.product();
    let ada = product.register("ada").await.unwrap();
    let (go, mut gate) = tokio::sync::watch::channel(false);
    let (began, begun) = tokio::sync::oneshot::channel();
    let first = futures_util::stream::once(async move {
        began.send(()).unwrap();
        Ok::<_, std::io::Error>("first".to_owned())
    });
    let rest = futures_util::stream::once(async move {
        gate.wait_for(|open| *open).await.unwrap();
        Ok(" last".to_owned())
    });
    let body = reqwest::Body::wrap_stream(futures_util::StreamExt::chain(first, rest));
    let upload = {
        let (product, ada) = (product.clone(), ada.clone());
        tokio::spawn(async move { product.upload(&ada, "root", "slow", body).await })
    };
    begun.await.unwrap();
    running.signal(Signal::TERM);
    e2e::wait::until("it to say that it drains", || async {
        let ready = send(product.request(Method::GET, "/health/ready")).await;
        Ok(ready.map_or(Some(()), |answer| (answer.status.as_u16() == 503).then_some(())))
    })
    .await
    .unwrap();
    go.send(true).unwrap();
    upload.await.unwrap().unwrap();
    let (status, log) = running.stop();
    assert!(status.success(), "{status}: {log}");
    for secret in [&ada.token, &ada.password, &ada.email] {
        assert!(!log.contains(secret.as_str()), "the log holds a secret: {log}");
    }

    let running = installation.start();
    let files = running.product().children(&ada, "root").await.unwrap();
    assert_eq!(files.len(), 1, "the token is still good, and the file is there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_administrator_can_be_made_by_command() {
    let installation = Installation::fresh();
    let create = |min_password: &str| {
        let mut child = installation
            .command()
            .args(["admin", "create", "--email", "root@example.org"])
            .env("FM_ACCOUNTS__MIN_PASSWORD", min_password)
            .stderr(Stdio::piped())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(b"correct horse\n").unwrap();
        child.wait_with_output().unwrap()
    };
    let weak = create("20");
    assert!(!weak.status.success() && said(&weak).contains("20 characters"), "{}", said(&weak));
    let output = create("8");
    assert!(output.status.success(), "{}", said(&output));
    let running = installation.start();
    let product = running.product();
    let setup = send(product.request(Method::GET, "/api/v1/setup")).await.unwrap().json().unwrap();
    assert_eq!(setup["needed"], json!(false));
    product.login("root@example.org", "correct horse").await.unwrap();
    drop(running);
    let again = create("8");
    assert!(!again.status.success(), "there is an administrator already: {}", said(&again));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_tells_and_metrics_stay_inside() {
    let installation = Installation::fresh().with("FM_INTERNAL_LISTEN", "127.0.0.1:0");
    let running = installation.start();
    let product = running.product();
    let get = |path: &str| send(product.request(Method::GET, path));
    get("/health/live").await.unwrap().expect(200).unwrap();
    let ready = get("/health/ready").await.unwrap().expect(200).unwrap().json().unwrap();
    assert!(ready.to_string().contains("store"), "{ready}");
    for inside in ["/metrics", "/internal/keys", "/internal/stats"] {
        get(inside).await.unwrap().expect(404).unwrap();
    }
}
