//! Requests that are wrong in every way that HTTP allows, and some that it does not.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::product::{Product, id, send};
use crate::wait::until;

/// Sends bytes as they are, closes its side if asked, and reads what comes until the other side closes.
async fn raw(product: &Product, request: &[u8], close: bool) -> Result<String> {
    let host = product.address.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).await?;
    // a server that refuses early may close before all is sent
    let _ = stream.write_all(request).await;
    if close {
        let _ = stream.shutdown().await;
    }
    let mut answer = Vec::new();
    let read = async {
        let mut piece = [0; 4096];
        loop {
            match stream.read(&mut piece).await {
                Ok(0) | Err(_) => break,
                Ok(n) => answer.extend_from_slice(&piece[..n]),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(90), read).await.context("the connection stayed open")?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Unknown places and methods.
pub async fn unknown_routes_and_methods(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    product.get(&ada, "/api/v1/nothing/here").await?.expect_problem(404, "not_found")?;
    let answer = send(product.as_user(&ada, Method::PATCH, "/api/v1/trash")).await?;
    ensure!(answer.header("allow").is_some_and(|allow| allow.contains("GET")), "{:?}", answer.headers);
    answer.expect_problem(405, "method_not_allowed")?;
    let answer = send(product.request(Method::GET, "/nothing/here")).await?.expect(404)?;
    ensure!(answer.json()?["error"] == "Not found", "{:?}", answer.body);
    Ok(())
}

/// Bodies that are no JSON, or the wrong JSON.
pub async fn malformed_json_and_wrong_types(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let post = |body: &'static str, kind: &'static str| {
        send(product.as_user(&ada, Method::POST, "/api/v1/files").header("content-type", kind).body(body))
    };
    for body in
        ["{", "", "[]", "{\"name\": 7}", "{\"name\": \"x\", \"surprise\": 1}", "{\"name\": \"\\ud800\"}"]
    {
        let answer = post(body, "application/json").await?;
        ensure!(answer.status.as_u16() == 400, "{body:?}: {}", answer.status);
        let code = answer.json()?["code"].as_str().unwrap_or_default().to_owned();
        ensure!(code == "invalid_json" || code == "invalid_request", "{body:?}: {code}");
    }
    post("{\"name\": \"x\"}", "text/plain").await?.expect_problem(415, "unsupported_media_type")?;
    for name in ["", ".", "..", "a/b", "a\\b", "a\u{0}b", "line\nbreak", &"ä".repeat(128)] {
        let problem = product
            .post(&ada, "/api/v1/files", &json!({"name": name}))
            .await?
            .expect_problem(400, "invalid_name")?;
        ensure!(problem["detail"].as_str().is_some_and(|text| text.len() > 10), "{problem}");
    }
    for path in ["/api/v1/files/nonsense", "/api/v1/files/5f1e8896c7ba06511e683b25"] {
        product.get(&ada, path).await?.expect_problem(404, "not_found")?;
    }
    // a gateway refuses a NUL itself
    let answer = product.get(&ada, "/api/v1/files/%00").await?;
    match answer.status.as_u16() {
        400 => answer.expect_problem(400, "invalid_request")?,
        _ => answer.expect_problem(404, "not_found")?,
    };
    for query in ["limit=0", "limit=1001", "limit=x", "sort=colour", "cursor=x"] {
        let answer = product.get(&ada, &format!("/api/v1/files/root/children?{query}")).await?;
        ensure!(answer.status.as_u16() == 400, "{query}: {}", answer.status);
    }
    ensure!(product.children(&ada, "root").await?.is_empty());
    Ok(())
}

/// Tokens that are no tokens, in each place where a token may stand.
pub async fn forged_and_broken_tokens(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let parts: Vec<_> = ada.token.split('.').collect();
    ensure!(parts.len() == 3, "a signed token has three parts");
    // {"alg":"none","typ":"JWT"} and {"alg":"NONE"}
    let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", parts[1]);
    let unsigned_upper = format!("eyJhbGciOiJOT05FIn0.{}.", parts[1]);
    let truncated = ada.token[..ada.token.len() - 4].to_owned();
    let without = format!("{}.{}.", parts[0], parts[1]);
    let long = "x".repeat(9000);
    for token in ["", "x", "null", "a.b.c", &unsigned, &unsigned_upper, &truncated, &without, &long] {
        for header in ["authorization", "x-token"] {
            let value = if header == "authorization" { format!("Bearer {token}") } else { token.to_owned() };
            let answer = send(product.request(Method::GET, "/api/v1/users/me").header(header, value)).await?;
            ensure!(
                matches!(answer.status.as_u16(), 400 | 401 | 431),
                "{header} {token:.20}: {}",
                answer.status
            );
        }
    }
    let stranger = send(product.request(Method::POST, "/api/v1/files").body("{")).await?;
    ensure!(stranger.header("www-authenticate").is_some(), "{:?}", stranger.headers);
    stranger.expect_problem(401, "unauthorized")?;
    Ok(())
}

/// A body that is shorter than announced, or cut off, leaves nothing behind.
pub async fn a_truncated_body_leaves_nothing(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    for (announced, sent) in [(1_000, 100), (2_000_000, 1_000_000)] {
        let head = format!(
            "PUT /api/v1/files/root/children/cut.bin/content HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: {announced}\r\n\r\n",
            ada.token
        );
        let mut request = head.into_bytes();
        request.resize(request.len() + sent, b'x');
        let answer = raw(product, &request, true).await?;
        ensure!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    until("the reservation to be given back", || async {
        let usage = product.get(&ada, "/api/v1/usage").await?.expect(200)?.json()?;
        Ok((usage["usedBytes"] == 0).then_some(()))
    })
    .await?;
    ensure!(product.children(&ada, "root").await?.is_empty());
    Ok(())
}

/// Header fields without end, and requests that are no HTTP.
pub async fn what_is_no_request_gets_a_4xx(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let long = format!("GET /status HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "x".repeat(200_000));
    for request in
        ["NONSENSE\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET /status HTTP/1.1\r\nHost x\r\n\r\n", &long]
    {
        let answer = raw(product, request.as_bytes(), true).await?;
        // another version is 505 at a gateway (RFC 9110, 15.6.6), and no request at all elsewhere
        let refused = ["HTTP/1.1 4", "HTTP/1.1 505"].iter().any(|status| answer.starts_with(status));
        ensure!(answer.is_empty() || refused, "{request:.40}: {answer}");
    }
    let body = json!({"name": "x".repeat(3_000_000)});
    product.post(&ada, "/api/v1/files", &body).await?.expect_problem(413, "too_large")?;
    product.get(&ada, "/api/v1/users/me").await?.expect(200)?;
    Ok(())
}

/// While many uploads trickle, others are served, and the trickling ones end well.
pub async fn slow_uploads_hold_nobody_up(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let (go, _) = tokio::sync::watch::channel(false);
    let mut slow = tokio::task::JoinSet::new();
    for n in 0..100 {
        let mut gate = go.subscribe();
        let first = futures_util::stream::once(async {
            Ok::<_, std::io::Error>(bytes::Bytes::from_static(b"first"))
        });
        let last = futures_util::stream::once(async move {
            // an error means that the sender is gone, and with it the test
            let _ = gate.wait_for(|open| *open).await;
            Ok(bytes::Bytes::from_static(b" last"))
        });
        let body = reqwest::Body::wrap_stream(futures_util::StreamExt::chain(first, last));
        let (product, ada) = (product.clone(), ada.clone());
        slow.spawn(async move { product.upload(&ada, "root", &format!("slow {n}"), body).await });
    }
    for n in 0..20 {
        let file = id(&product.upload(&ada, "root", &format!("quick {n}"), "quick").await?)?;
        ensure!(product.content(&ada, &file).await? == "quick");
    }
    ensure!(product.children(&ada, "root").await?.len() == 20, "an upload shows when it is whole");
    go.send_replace(true);
    while let Some(upload) = slow.join_next().await {
        ensure!(upload??["size"] == 10);
    }
    ensure!(product.children(&ada, "root").await?.len() == 120);
    Ok(())
}
