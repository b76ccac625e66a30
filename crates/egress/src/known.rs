use bytes::{Bytes, BytesMut};
use reqwest::{Client, RequestBuilder};
use tokio::time::timeout;
use url::Url;
use url::form_urlencoded;

use crate::client::reason;
use crate::{CannotBuild, Limits, NoAnswer};

/// What a place answered, read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Its status. A redirect is an answer like any other.
    pub status: u16,
    /// Its body.
    pub body: Bytes,
}

/// Sends requests to places that whoever runs the installation names, such as identity providers. These may well lie inside, so no address is refused; for
/// places that users name there is [`crate::Egress`]. No proxy is asked, no redirect is followed, and answers have a largest size. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Known {
    http: Client,
    limits: Limits,
}

impl Known {
    /// A client within these limits; an answer with more than `body_bytes` is none.
    ///
    /// # Errors
    /// [`CannotBuild`], as when the system's certificates cannot be read.
    #[expect(
        clippy::disallowed_methods,
        reason = "those of `clients` are for services, these for places outside"
    )]
    pub fn new(limits: Limits) -> Result<Self, CannotBuild> {
        let http = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(limits.connect)
            .timeout(limits.whole)
            .referer(false)
            .build()
            .map_err(CannotBuild)?;
        Ok(Self { http, limits })
    }

    /// Gets JSON, with a bearer token if there is one.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub async fn get(&self, place: &Url, bearer: Option<&str>) -> Result<Reply, NoAnswer> {
        let request = self.http.get(place.clone());
        self.send(match bearer {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
        .await
    }

    /// Posts a form, with name and password of HTTP Basic if there are such.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub async fn post_form(
        &self,
        place: &Url,
        fields: &[(&str, &str)],
        basic: Option<(&str, &str)>,
    ) -> Result<Reply, NoAnswer> {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self
            .http
            .post(place.clone())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        self.send(match basic {
            Some((name, password)) => request.basic_auth(name, Some(password)),
            None => request,
        })
        .await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Reply, NoAnswer> {
        let request = request.header("accept", "application/json");
        let whole = async {
            let mut answer = request.send().await.map_err(|error| reason(&error))?;
            let status = answer.status().as_u16();
            let mut body = BytesMut::new();
            while let Some(chunk) = answer.chunk().await.map_err(|error| reason(&error))? {
                if body.len() + chunk.len() > self.limits.body_bytes {
                    return Err(NoAnswer::Size);
                }
                body.extend_from_slice(&chunk);
            }
            Ok(Reply { status, body: body.freeze() })
        };
        // also over what the client's own deadline does not cover
        timeout(self.limits.whole, whole).await.map_err(|_| NoAnswer::Time)?
    }
}
