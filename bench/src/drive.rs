//! Sends many requests over some connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Result, ensure};

use crate::http::Connection;

/// Head of the request number `n`.
pub(crate) type Head = Arc<dyn Fn(usize) -> String + Send + Sync>;

/// What the client saw.
pub(crate) struct Driven {
    pub(crate) requests: f64,
    pub(crate) bytes: f64,
    pub(crate) seconds: f64,
    pub(crate) millis: Vec<f64>,
}

/// Sends `count` requests over `connections` connections, each when the one before it was answered; all must succeed.
pub(crate) async fn drive(
    address: SocketAddr,
    head: &Head,
    connections: usize,
    count: usize,
    body: &Arc<Vec<u8>>,
) -> Result<Driven> {
    let began = Instant::now();
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..connections {
        let (next, head, body) = (Arc::clone(&next), Arc::clone(head), Arc::clone(body));
        tasks.spawn(async move {
            let mut connection = Connection::open(address).await?;
            let (mut bytes, mut millis) = (0, Vec::new());
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= count {
                    return anyhow::Ok((bytes, millis));
                }
                let answer = connection.send(&head(n), &body, false).await?;
                ensure!((200..300).contains(&answer.status), "request {n}: {}", answer.status);
                bytes += answer.bytes;
                millis.push(answer.took.as_secs_f64() * 1000.0);
                // nginx does after a thousand requests
                if answer.closes {
                    connection = Connection::open(address).await?;
                }
            }
        });
    }
    let (mut bytes, mut millis) = (0, Vec::new());
    while let Some(ended) = tasks.join_next().await {
        let (more, times) = ended??;
        bytes += more;
        millis.extend(times);
    }
    Ok(Driven { requests: count as f64, bytes: bytes as f64, seconds: began.elapsed().as_secs_f64(), millis })
}
