//! j: what it costs to check a credential that was seen before, and one that nobody has seen yet.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Api, Load, Sizes, Turn, load};
use crate::contestants::{Contestants, OURS, PASSWORD, sign_up, start_ours};
use crate::http::{Connection, head};
use crate::report::{Report, percentile};

const WORKLOAD: &str = "j checks of credentials (GET /users/me), 16 connections";

/// Of each kind of credential: enough for a clock of CPU time that counts hundredths of a second.
const CHECKS: usize = 20_000;
/// Credentials that are each used once: the first use of one is checked in full.
const FRESH: usize = 4_000;
/// Sign-ins that are under way at once to get these.
const AT_ONCE: usize = 4;
/// Of a hash, the least that there is: those sign-ins are not what is measured.
const BCRYPT_COST: u32 = 4;

/// The cheapest call that wants a credential, by a token that was seen before, by an API token, and by tokens that nobody has seen yet, each of a session
/// that nobody has asked for; beside a call that wants none. The difference is what a check costs at most, since `/users/me` also looks up who is asked for.
pub(super) async fn run(contestants: &Contestants, sizes: &Sizes, report: &mut Report) -> Result<()> {
    let folder = contestants.scratch.path().join("checks");
    let server = start_ours(&contestants.program, &folder, BCRYPT_COST).await?;
    let token = sign_up(server.address, "bench@example.org").await?;
    let api = Api { address: server.address, token };
    let body = json!({"name": "bench", "scopes": ["account"], "password": PASSWORD}).to_string();
    let made = api.json("POST", "/api/v1/users/me/tokens", &body).await?;
    let api_token = made["token"].as_str().context("the text of a token")?.to_owned();
    let who = |token: String| move |_| head("GET", "/users/me", &[("X-Token", &token)], None);
    let known = Turn { server: &server, head: Arc::new(who(api.token.clone())) };
    let by_api_token = Turn { server: &server, head: Arc::new(who(api_token)) };
    let open = Turn { server: &server, head: Arc::new(|_| head("GET", "/health/live", &[], None)) };
    // what is first pays for what a fresh process does once
    load(&known, 16, FRESH, Arc::default()).await?;
    load(&open, 16, FRESH, Arc::default()).await?;
    for _ in 0..sizes.rounds {
        let base = load(&open, 16, CHECKS, Arc::default()).await?;
        note(report, "none (GET /health/live)", &base);
        for (turn, measure) in [(&known, "a session's token"), (&by_api_token, "an API token")] {
            let loaded = load(turn, 16, CHECKS, Arc::default()).await?;
            note(report, measure, &loaded);
            note_check(report, measure, &loaded, &base);
        }
        let fresh = fresh_tokens(server.address).await?;
        let first_use = move |n: usize| head("GET", "/users/me", &[("X-Token", &fresh[n])], None);
        let turn = Turn { server: &server, head: Arc::new(first_use) };
        let loaded = load(&turn, 16, FRESH, Arc::default()).await?;
        note(report, "tokens never seen", &loaded);
        note_check(report, "tokens never seen", &loaded, &base);
    }
    Ok(())
}

fn note_check(report: &mut Report, measure: &str, loaded: &Load, base: &Load) {
    let each = |load: &Load| load.cpu_seconds * 1e6 / load.client.requests;
    report.add(WORKLOAD, &format!("CPU µs/check at most, {measure}"), OURS, each(loaded) - each(base));
}

fn note(report: &mut Report, measure: &str, loaded: &Load) {
    let of = |what: &str| format!("{what}, {measure}");
    report.add(WORKLOAD, &of("requests/s"), OURS, loaded.client.requests / loaded.client.seconds);
    report.add(WORKLOAD, &of("CPU µs/request"), OURS, loaded.cpu_seconds * 1e6 / loaded.client.requests);
    report.add(WORKLOAD, &of("p99 ms"), OURS, percentile(&loaded.client.millis, 0.99));
}

/// A token of a session of its own for each: two of one session that are signed in the same second are the same.
async fn fresh_tokens(address: SocketAddr) -> Result<Arc<Vec<String>>> {
    let basic = format!("Basic {}", STANDARD.encode("bench@example.org:password"));
    let request = head("GET", "/connect", &[("Authorization", &basic)], None);
    let next = Arc::new(AtomicUsize::new(0));
    let mut lanes = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (request, next) = (request.clone(), Arc::clone(&next));
        lanes.spawn(async move {
            let (mut connection, mut tokens) = (Connection::open(address).await?, Vec::new());
            while next.fetch_add(1, Ordering::Relaxed) < FRESH {
                let answer = connection.send(&request, b"", true).await?;
                ensure!(answer.status == 200, "{}", String::from_utf8_lossy(&answer.body));
                let answer: Value = serde_json::from_slice(&answer.body)?;
                tokens.push(answer["token"].as_str().context("no token")?.to_owned());
            }
            anyhow::Ok(tokens)
        });
    }
    let mut tokens = Vec::with_capacity(FRESH);
    while let Some(of_lane) = lanes.join_next().await {
        tokens.extend(of_lane??);
    }
    ensure!(tokens.iter().collect::<std::collections::HashSet<_>>().len() == FRESH, "a token came twice");
    Ok(Arc::new(tokens))
}
