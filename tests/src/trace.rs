//! One request can be followed through all services: by their logs, which a form's own test hands in.

use std::future::Future;

use anyhow::{Result, ensure};
use reqwest::Method;
use serde_json::Value;

use crate::product::{Product, id, send};
use crate::samples::picture;
use crate::wait::until;

/// Settings with which the logs can be read here.
pub const SETTINGS: [(&str, &str); 2] =
    [("FM_LOG__FORMAT", "json"), ("FM_LOG__LEVEL", "info,http_kit=debug,worker_service=debug")];

/// What a client sends: the standard's example.
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// The trace in it.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
/// The step in it.
const SPAN: &str = "00f067aa0ba902b7";

/// Uploads a picture as part of a trace, and waits until its thumbnails are there and the logs tell the whole story. `file_log` and `worker_log` read what
/// these services logged so far: the same where they are one process.
///
/// # Errors
/// When the story is not told.
pub async fn a_picture_is_followed<F, W>(
    product: &Product,
    file_log: impl Fn() -> F,
    worker_log: impl Fn() -> W,
) -> Result<()>
where
    F: Future<Output = Result<String>>,
    W: Future<Output = Result<String>>,
{
    let ada = product.register("ada").await?;
    let upload = product
        .as_user(&ada, Method::PUT, "/api/v1/files/root/children/wide.jpg/content")
        .header("traceparent", TRACEPARENT)
        .header("x-request-id", "followed")
        .body(picture(800, 400, "jpg")?);
    let file = id(&send(upload).await?.expect(201)?.json()?)?;
    until("the thumbnails", || async {
        let file = product.get(&ada, &format!("/api/v1/files/{file}")).await?.expect(200)?.json()?;
        Ok((file["thumbnails"]["state"] == "ready").then_some(()))
    })
    .await?;
    // lines are written after the answers that they are about
    let answered = until("file-service to log its answers", || async {
        let lines = lines_of(&file_log().await?, "request");
        Ok(WANTED.iter().all(|route| lines.iter().any(|line| line["route"] == *route)).then_some(lines))
    })
    .await?;
    let upload = answered.iter().find(|line| line["route"] == WANTED[0]);
    ensure!(upload.is_some_and(|line| line["span"]["parent_id"] == SPAN), "{answered:#?}");
    ensure!(answered.iter().all(|line| line["span"]["request_id"] == "followed"), "{answered:#?}");
    let spans: Vec<_> = answered.iter().map(|line| line["span"]["span_id"].to_string()).collect();
    ensure!(spans.iter().all(|span| !span.contains(SPAN)), "each request is a step of its own: {spans:?}");

    let attempt = until("worker-service to log the attempt", || async {
        Ok(lines_of(&worker_log().await?, "job").into_iter().next())
    })
    .await?;
    let (span, cause) = (&attempt["span"], upload.map(|line| &line["span"]["span_id"]));
    ensure!(span["kind"] == "thumbnails" && span["request_id"] == "followed", "{attempt}");
    ensure!(Some(&span["parent_id"]) == cause, "the attempt follows the upload: {attempt} {answered:#?}");
    Ok(())
}

/// Routes whose answers belong to the trace: the upload, and what the job asks for.
const WANTED: [&str; 4] = [
    "/api/v1/files/{id}/children/{name}/content",
    "/internal/thumbnails/begin",
    "/internal/blobs/{blob}",
    "/internal/blobs/{blob}/thumbnails",
];

/// The lines of the trace in spans of this name.
fn lines_of(log: &str, span: &str) -> Vec<Value> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["span"]["trace_id"] == TRACE && line["span"]["name"] == span).collect()
}
