//! j: sign-ins beside what bcrypt alone could do, what they do to others, and what it costs to check a credential.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Instant;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Api, Load, Sizes, Turn, load, noise, one_file};
use crate::contestants::{Contestants, OURS};
use crate::http::head;
use crate::report::{Report, percentile};

/// What sets the limit of sign-ins.
const BCRYPT: &str = "bcrypt alone";
/// Of each kind of credential.
const CHECKS: usize = 4_000;
/// Credentials that are each used once: the first use of one is checked in full.
const FRESH: usize = 400;

pub(super) async fn run(contestants: &Contestants, sizes: &Sizes, report: &mut Report) -> Result<()> {
    sign_ins(contestants, sizes, report).await?;
    checks(contestants, sizes, report).await
}

async fn sign_ins(contestants: &Contestants, sizes: &Sizes, report: &mut Report) -> Result<()> {
    const WORKLOAD: &str = "j sign-ins (bcrypt cost 12), 8 connections";
    let basic = format!("Basic {}", STANDARD.encode("bench@example.org:password"));
    let sign_in = move |_| head("GET", "/connect", &[("Authorization", &basic)], None);
    let sign_ins = Turn { server: &contestants.ours, head: Arc::new(sign_in) };
    let turns = one_file(contestants, "beside.bin", &noise(4096), |_| Vec::new()).await?;
    let Some(reads) = turns.last() else { return Ok(()) };
    for _ in 0..sizes.rounds {
        report.add(WORKLOAD, "sign-ins/s", BCRYPT, limit().await?);
        let logins = load(&sign_ins, 8, 40, Arc::default()).await?;
        report.add(WORKLOAD, "sign-ins/s", OURS, logins.client.requests / logins.client.seconds);
        let alone = load(reads, 8, 4_000, Arc::default()).await?;
        let (logins, beside) =
            tokio::try_join!(load(&sign_ins, 8, 40, Arc::default()), load(reads, 8, 4_000, Arc::default()))?;
        report.add(
            WORKLOAD,
            "sign-ins/s (with 100 reads each)",
            OURS,
            logins.client.requests / logins.client.seconds,
        );
        report.add(
            WORKLOAD,
            "CPU s/sign-in (with 100 reads each)",
            OURS,
            logins.cpu_seconds / logins.client.requests,
        );
        report.add(WORKLOAD, "p99 ms of reads alone", OURS, percentile(&alone.client.millis, 0.99));
        report.add(WORKLOAD, "p99 ms of reads beside", OURS, percentile(&beside.client.millis, 0.99));
    }
    Ok(())
}

/// Passwords that the library compares in a second on all cores, at the cost that the product has.
async fn limit() -> Result<f64> {
    const EACH: usize = 10;
    let threads = available_parallelism().map_or(1, usize::from);
    let hash = tokio::task::spawn_blocking(|| hashed("password")).await??;
    let begun = Instant::now();
    let tasks: Vec<_> = (0..threads)
        .map(|_| {
            let hash = hash.clone();
            tokio::task::spawn_blocking(move || (0..EACH).try_for_each(|_| compared("password", &hash)))
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    #[expect(clippy::cast_precision_loss, reason = "there are few")]
    let many = (threads * EACH) as f64;
    Ok(many / begun.elapsed().as_secs_f64())
}

#[expect(clippy::disallowed_methods, reason = "the library itself is measured")]
fn hashed(password: &str) -> Result<String> {
    Ok(bcrypt::hash(password, 12)?)
}

#[expect(clippy::disallowed_methods, reason = "the library itself is measured")]
fn compared(password: &str, hash: &str) -> Result<()> {
    anyhow::ensure!(bcrypt::verify(password, hash)?, "a password fits its hash");
    Ok(())
}

/// The cheapest call that wants a credential, by a token that was seen before, by an API token, and by tokens that nobody has seen yet.
async fn checks(contestants: &Contestants, sizes: &Sizes, report: &mut Report) -> Result<()> {
    const WORKLOAD: &str = "j checks of credentials (GET /users/me), 16 connections";
    let api = Api::of(contestants);
    let body = json!({"name": "bench", "scopes": ["account"]}).to_string();
    let made = api.json("POST", "/api/v1/users/me/tokens", &body).await?;
    let api_token = made["token"].as_str().context("the text of a token")?.to_owned();
    let who = |token: String| move |_| head("GET", "/users/me", &[("X-Token", &token)], None);
    let known = Turn { server: &contestants.ours, head: Arc::new(who(api.token.clone())) };
    let by_api_token = Turn { server: &contestants.ours, head: Arc::new(who(api_token)) };
    for _ in 0..sizes.rounds {
        for (turn, measure) in [(&known, "a session's token"), (&by_api_token, "an API token")] {
            let loaded = load(turn, 16, CHECKS, Arc::default()).await?;
            told(report, WORKLOAD, measure, &loaded);
        }
        let fresh = fresh_tokens(&api).await?;
        let first_use =
            move |n: usize| head("GET", "/users/me", &[("X-Token", &fresh[n % fresh.len()])], None);
        let turn = Turn { server: &contestants.ours, head: Arc::new(first_use) };
        let loaded = load(&turn, 16, FRESH, Arc::default()).await?;
        told(report, WORKLOAD, "tokens never seen", &loaded);
    }
    Ok(())
}

fn told(report: &mut Report, workload: &str, measure: &str, loaded: &Load) {
    let of = |what: &str| format!("{what}, {measure}");
    report.add(workload, &of("requests/s"), OURS, loaded.client.requests / loaded.client.seconds);
    report.add(workload, &of("CPU µs/request"), OURS, loaded.cpu_seconds * 1e6 / loaded.client.requests);
    report.add(workload, &of("p99 ms"), OURS, percentile(&loaded.client.millis, 0.99));
}

/// Access tokens that are each signed anew: a refresh costs no hash of a password, and those before it stay good.
async fn fresh_tokens(api: &Api) -> Result<Vec<String>> {
    let body = json!({"email": "bench@example.org", "password": "password"}).to_string();
    let mut login: Value = api.json("POST", "/api/v1/auth/login", &body).await?;
    let mut tokens = Vec::with_capacity(FRESH);
    for _ in 0..FRESH {
        let body = json!({"refreshToken": login["refreshToken"]}).to_string();
        login = api.json("POST", "/api/v1/auth/refresh", &body).await?;
        tokens.push(login["accessToken"].as_str().context("an access token")?.to_owned());
    }
    Ok(tokens)
}
