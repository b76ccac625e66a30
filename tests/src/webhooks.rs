//! What the product tells programs and people. Both forms may reach 127.0.0.2, and no other address of this machine.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::product::{Account, Product, send};
use crate::samples::picture;
use crate::wait::until;

/// The address on which receivers listen.
pub const RECEIVER: &str = "127.0.0.2";
const PATIENCE: Duration = Duration::from_secs(90);

/// A job that fails is told to its owner's webhook, tried again when the receiver stumbles, and to its owner.
pub async fn a_failed_job_is_told_to_its_owner(product: &Product) -> Result<()> {
    let (ada, eve) = (product.register("ada").await?, product.register("eve").await?);
    let receiver =
        TcpListener::bind((RECEIVER, 0)).await.context("every address of 127/8 is this machine")?;
    let url = format!("http://{RECEIVER}:{}/hook", receiver.local_addr()?.port());
    let made = created(product, &ada, &url).await?;
    let webhook = made["webhook"]["id"].as_str().context("an id")?;
    ensure!(made["secret"].as_str().is_some_and(|secret| secret.starts_with("whsec_")), "{made}");
    product.upload(&ada, "root", "broken.png", picture(600, 400, "png")?[..60].to_vec()).await?;
    let first =
        tokio::time::timeout(PATIENCE, receive(&receiver, 503)).await.context("nothing was sent")??;
    let again = tokio::time::timeout(PATIENCE, receive(&receiver, 204)).await.context("not again")??;
    ensure!(first.field("webhook-id") == again.field("webhook-id"), "the same message");
    ensure!(again.field("webhook-signature").starts_with("v1,"), "it is signed");
    let body: Value = serde_json::from_str(&again.body)?;
    ensure!(body["type"] == "job.failed" && body["data"]["jobType"] == "thumbnails", "{body}");
    let path = format!("/api/v1/webhooks/{webhook}/deliveries");
    let delivery = until("the delivery", || async {
        let list = product.get(&ada, &path).await?.expect(200)?.json()?;
        let newest = list["items"][0].clone();
        Ok((newest["state"] == "delivered").then_some(newest))
    })
    .await?;
    let statuses: Vec<_> = delivery["attempts"].as_array().into_iter().flatten().collect();
    ensure!(statuses.len() == 2 && statuses[0]["status"] == 503, "{delivery}");
    let told = until("the notification", || async {
        let list = product.get(&ada, "/api/v1/notifications").await?.expect(200)?.json()?;
        Ok((list["unread"] == 1).then_some(list))
    })
    .await?;
    ensure!(told["items"][0]["kind"] == "job.failed", "{told}");
    let read = product.post(&ada, "/api/v1/notifications/read", &json!({ "all": true })).await?;
    ensure!(read.expect(200)?.json()?["unread"] == 0);
    ensure!(product.get(&eve, "/api/v1/notifications").await?.expect(200)?.json()?["unread"] == 0);
    product.get(&eve, &path).await?.expect_problem(404, "not_found")?;
    let own = format!("/api/v1/webhooks/{webhook}");
    send(product.as_user(&eve, Method::DELETE, &own)).await?.expect_problem(404, "not_found")?;
    send(product.as_user(&ada, Method::DELETE, &own)).await?.expect(204)?;
    Ok(())
}

/// No webhook leads back to the machine that the product runs on, by address or by name.
pub async fn webhooks_do_not_lead_inside(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    for host in ["127.0.0.1", "[::1]", "169.254.169.254", "10.0.0.1", "2130706433"] {
        let body = json!({ "url": format!("http://{host}/"), "events": ["job.failed"] });
        product.post(&ada, "/api/v1/webhooks", &body).await?.expect_problem(400, "invalid_request")?;
    }
    let made = created(product, &ada, "http://localhost:9/").await?;
    let webhook = made["webhook"]["id"].as_str().context("an id")?;
    product.post(&ada, &format!("/api/v1/webhooks/{webhook}/test"), &json!({})).await?.expect(202)?;
    let path = format!("/api/v1/webhooks/{webhook}/deliveries");
    let test = until("the test to end", || async {
        let list = product.get(&ada, &path).await?.expect(200)?.json()?;
        let test = list["items"][0].clone();
        Ok((test["state"] == "failed").then_some(test))
    })
    .await?;
    let error = &test["attempts"][0]["error"];
    ensure!(error == "the name leads to an address that may not be reached", "{test}");
    Ok(())
}

async fn created(product: &Product, account: &Account, url: &str) -> Result<Value> {
    let body = json!({ "url": url, "events": ["job.failed"] });
    product.post(account, "/api/v1/webhooks", &body).await?.expect(201)?.json()
}

/// What was sent.
pub(crate) struct Sent {
    head: String,
    pub(crate) body: String,
}

impl Sent {
    pub(crate) fn field(&self, name: &str) -> &str {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.into_iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }
}

/// Takes one request and answers it.
pub(crate) async fn receive(listener: &TcpListener, status: u16) -> Result<Sent> {
    let (mut stream, _) = listener.accept().await?;
    let sent = read(&mut stream).await?;
    stream.write_all(format!("HTTP/1.1 {status} Said\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    Ok(sent)
}

async fn read(stream: &mut TcpStream) -> Result<Sent> {
    let mut text = String::new();
    let mut some = [0; 4096];
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let sent = Sent { head: head.to_owned(), body: body.to_owned() };
            if sent.field("content-length").parse() == Ok(body.len()) {
                return Ok(sent);
            }
        }
        let read = stream.read(&mut some).await?;
        ensure!(read > 0, "it broke off: {text}");
        text.push_str(std::str::from_utf8(&some[..read])?);
    }
}
