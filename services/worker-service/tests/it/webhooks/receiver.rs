//! A receiver of webhooks.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::http::Server;
use crate::support::until;

/// What it was sent.
#[derive(Debug, Clone)]
pub(super) struct Received {
    fields: HashMap<String, String>,
    body: String,
}

impl Received {
    pub(super) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", |value| value)
    }

    pub(super) fn text(&self) -> &str {
        &self.body
    }

    pub(super) fn body(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Checks it as receivers do, with nothing but the secret; how many signatures are good.
    pub(super) fn good_signatures(&self, secret: &str) -> usize {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let signed =
            format!("{}.{}.{}", self.field("webhook-id"), self.field("webhook-timestamp"), self.body);
        let signatures = self.field("webhook-signature").split(' ');
        signatures
            .filter(|signature| {
                let tag = STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
                hmac::verify(&key, signed.as_bytes(), &tag).is_ok()
            })
            .count()
    }
}

/// What is answered next: a status, and a field with it.
type Answers = Arc<Mutex<VecDeque<(u16, Option<(&'static str, String)>)>>>;

/// A server that answers as it is told, and 200 otherwise.
pub(super) struct Receiver {
    pub(super) url: String,
    answers: Answers,
    received: Arc<Mutex<Vec<Received>>>,
    server: Server,
}

impl Receiver {
    pub(super) fn start() -> Self {
        let answers = Answers::default();
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let (its_answers, its_received) = (Arc::clone(&answers), Arc::clone(&received));
        let server = Server::start(move |config| {
            let (answers, received) = (Arc::clone(&its_answers), Arc::clone(&its_received));
            let receive = move |request: HttpRequest, body: String| {
                let fields = request.headers().iter();
                let fields = fields
                    .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                    .collect();
                received.lock().unwrap().push(Received { fields, body });
                let (status, field) = answers.lock().unwrap().pop_front().unwrap_or((200, None));
                let mut answer = HttpResponse::build(StatusCode::from_u16(status).unwrap());
                if let Some(field) = field {
                    answer.insert_header(field);
                }
                // with words of its own: our server puts a problem in the place of an empty error, without its fields
                async move { answer.body("so it is") }
            };
            config.route("/hook", web::post().to(receive));
        });
        Self { url: format!("{}/hook", server.base), answers, received, server }
    }

    /// Says what is answered next.
    pub(super) fn answer(&self, statuses: &[u16]) {
        self.answers.lock().unwrap().extend(statuses.iter().map(|status| (*status, None)));
    }

    pub(super) fn redirect_to(&self, place: &str) {
        self.answers.lock().unwrap().push_back((307, Some(("location", place.to_owned()))));
    }

    pub(super) fn put_off(&self, status: u16, retry_after: &str) {
        self.answers.lock().unwrap().push_back((status, Some(("retry-after", retry_after.to_owned()))));
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub(super) async fn until_received(&self, count: usize) -> Vec<Received> {
        until("what is sent", || async {
            let received = self.received();
            (received.len() >= count).then_some(received)
        })
        .await
    }

    pub(super) async fn stop(self) {
        self.server.stop().await;
    }
}
