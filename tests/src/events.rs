//! What happens to files, as it is listed, followed and told.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures_util::{Stream, StreamExt as _};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::product::{Account, Product, id, send};
use crate::webhooks::{RECEIVER, receive};

const PATIENCE: Duration = Duration::from_secs(60);

/// A stream of events.
struct Events {
    chunks: std::pin::Pin<Box<dyn Stream<Item = reqwest::Result<bytes::Bytes>> + Send>>,
    text: String,
    place: String,
}

impl Events {
    async fn follow(product: &Product, account: &Account, from: Option<&str>) -> Result<Self> {
        let mut request = product.as_user(account, Method::GET, "/api/v1/events");
        if let Some(from) = from {
            request = request.header("last-event-id", from);
        }
        let response = request.send().await?.error_for_status()?;
        let chunks = Box::pin(response.bytes_stream());
        let mut events = Self { chunks, text: String::new(), place: String::new() };
        while events.place.is_empty() {
            events.block().await?.context("it begins")?;
        }
        Ok(events)
    }

    /// The next block, with the word of the event in it, if there is one; none at the end of the stream.
    async fn block(&mut self) -> Result<Option<Option<(String, Value)>>> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let field =
                    |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let (id, word, data) = (field("id: "), field("event: "), field("data: "));
                self.text = rest.to_owned();
                if let Some(id) = id {
                    self.place = id;
                }
                let event = word.map(|word| Ok::<_, anyhow::Error>((word, data.context("data")?.parse()?)));
                return Ok(Some(event.transpose()?));
            }
            match timeout(PATIENCE, self.chunks.next()).await.context("nothing comes")? {
                Some(Ok(chunk)) => self.text.push_str(std::str::from_utf8(&chunk)?),
                // a proxy may cut the line instead of ending it
                Some(Err(_)) | None => return Ok(None),
            }
        }
    }

    async fn next(&mut self) -> Result<(String, Value)> {
        loop {
            if let Some(event) = self.block().await?.context("it goes on")? {
                return Ok(event);
            }
        }
    }
}

/// What somebody does to a file stands in its history, comes by a stream that was cut meanwhile, and is told to a webhook; the stream ends with the sign-in.
pub async fn a_change_is_listed_followed_and_told(product: &Product) -> Result<()> {
    let (ada, eve) = (product.register("ada").await?, product.register("eve").await?);
    let receiver =
        TcpListener::bind((RECEIVER, 0)).await.context("every address of 127/8 is this machine")?;
    let url = format!("http://{RECEIVER}:{}/hook", receiver.local_addr()?.port());
    let body = json!({ "url": url, "events": ["file.created", "file.moved", "file.trashed"] });
    product.post(&ada, "/api/v1/webhooks", &body).await?.expect(201)?;

    let mut events = Events::follow(product, &ada, None).await?;
    product.upload(&eve, "root", "theirs.txt", b"x".to_vec()).await?;
    let file = id(&product.upload(&ada, "root", "a.txt", b"x".to_vec()).await?)?;
    let at = format!("/api/v1/files/{file}");
    let (word, created) = events.next().await?;
    ensure!(word == "created" && created["fileId"] == *file && created["userId"] == *ada.id, "{created}");
    let place = events.place.clone();
    drop(events);
    send(product.as_user(&ada, Method::PATCH, &at).json(&json!({ "name": "b.txt" }))).await?.expect(200)?;
    send(product.as_user(&ada, Method::DELETE, &at)).await?.expect(204)?;
    let mut events = Events::follow(product, &ada, Some(&place)).await?;
    let (word, renamed) = events.next().await?;
    ensure!(word == "renamed" && renamed["oldName"] == "a.txt" && renamed["name"] == "b.txt", "{renamed}");
    let (word, trashed) = events.next().await?;
    ensure!(word == "trashed" && trashed["fileId"] == *file, "{trashed}");

    let list = format!("/api/v1/activity?file={file}");
    let history = product.get(&ada, &list).await?.expect(200)?.json()?;
    ensure!(history["items"] == json!([trashed, renamed, created]), "{history}");
    product.get(&eve, &list).await?.expect_problem(404, "not_found")?;

    // in any order, and each perhaps once more
    let mut told = std::collections::BTreeMap::new();
    while told.len() < 3 {
        let sent = timeout(PATIENCE, receive(&receiver, 204)).await.context("nothing was sent")??;
        let body: Value = serde_json::from_str(&sent.body)?;
        ensure!(body["data"]["fileId"] == *file, "{body}");
        told.insert(body["data"]["eventId"].to_string(), (sent.field("webhook-id").to_owned(), body));
    }
    for (event, word) in [(&created, "file.created"), (&renamed, "file.moved"), (&trashed, "file.trashed")] {
        let (_, body) = told.get(&event["id"].to_string()).context("it was told")?;
        ensure!(body["type"] == word && body["timestamp"] == event["at"], "{body}");
    }

    send(product.as_user(&ada, Method::POST, "/api/v1/auth/logout")).await?.expect(204)?;
    while events.block().await?.is_some() {}
    Ok(())
}
