use std::time::Duration;

use bytes::Bytes;
use reqwest::{Client, Method};

/// Longest wait for an answer.
const DEADLINE: Duration = Duration::from_secs(10);
/// Header fields of a long cookie or token, and below what any proxy should take: half of its 8 KiB for one line.
const LARGE_HEADER_BYTES: usize = 4 * 1024;
/// More than proxies take unless they are told to.
const LARGE_BODY_BYTES: usize = 2 * 1024 * 1024;

/// Asks an installation at its public address, as anybody may, whether what it needs comes through.
#[derive(Debug, Clone)]
pub struct Probe {
    client: Client,
    base: String,
}

impl Probe {
    /// For this address, perhaps with a path.
    ///
    /// # Errors
    /// The HTTP client cannot be made, in words.
    #[expect(
        clippy::disallowed_methods,
        reason = "it asks as browsers do: the certificate counts, and nothing else"
    )]
    pub fn new(base: &str) -> Result<Self, String> {
        let client = Client::builder()
            .no_proxy()
            .timeout(DEADLINE)
            .redirect(reqwest::redirect::Policy::none())
            .build();
        let client = client.map_err(|error| error.to_string())?;
        Ok(Self { client, base: base.trim_end_matches('/').to_owned() })
    }

    /// Whether Files Manager answers: its `/status` has the two members that it has.
    ///
    /// # Errors
    /// What answered instead, in words.
    pub async fn answers(&self) -> Result<(), String> {
        let answer = self.client.get(format!("{}/status", self.base)).send().await.map_err(causes)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(causes)?;
        let json: Option<serde_json::Value> = serde_json::from_slice(&body[..body.len().min(4096)]).ok();
        match json {
            Some(json) if json["db"].is_boolean() && json["redis"].is_boolean() => Ok(()),
            _ => Err(format!("something else answers there, with {status}")),
        }
    }

    /// The status of an answer to a question with a large header.
    ///
    /// # Errors
    /// There was no answer, in words.
    pub async fn large_header(&self) -> Result<u16, String> {
        let request = self.client.get(format!("{}/status", self.base));
        let answer = request.header("x-doctor", "x".repeat(LARGE_HEADER_BYTES)).send().await;
        Ok(answer.map_err(causes)?.status().as_u16())
    }

    /// The status of an answer to an upload without a credential, which is 401 if it comes through.
    ///
    /// # Errors
    /// There was no answer, in words.
    pub async fn large_body(&self) -> Result<u16, String> {
        let url = format!("{}/api/v1/files/root/children/doctor/content", self.base);
        let body = Bytes::from(vec![0; LARGE_BODY_BYTES]);
        let answer = self.client.request(Method::PUT, url).body(body).send().await;
        Ok(answer.map_err(causes)?.status().as_u16())
    }
}

fn causes(error: reqwest::Error) -> String {
    common::Causes(&error.without_url()).to_string()
}
