//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07): what is needed to carry a request out once however often it is sent. The server's
//! middleware does it for every `POST` that takes a key, and for uploads by `PUT`; see [`common::idempotency`] for what holds when a process dies in between.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use common::auth::Principal;
use common::idempotency::{IdempotencyStore, KEPT, KeyId, KeySeal};
use common::routes::{self, Service};
use common::{Clock, Code};
use serde::{Deserialize, Serialize};

use crate::digest_fields;
use crate::problem::{ApiResult, Problem};

/// Name of the request's field.
pub const HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// Name of the field by which an answer says that it is the one of an earlier request.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Longest key.
pub const MOST_KEY_CHARS: usize = 255;

/// Longest body of a request with a key, since all of it is read before the handler sees any: what the greatest call takes.
pub(crate) const MOST_BODY_BYTES: u64 = 4 * 1024 * 1024;

/// Longest body of an answer that is kept. Of longer ones only status and header fields are.
const MOST_ANSWER_BYTES: usize = 16 * 1024;

/// Longest names and values of the fields that are kept with it, in all.
const MOST_FIELD_BYTES: usize = 8 * 1024;

/// How often keys whose time is over are looked for.
const FORGET_EVERY: Duration = Duration::from_secs(10 * 60);

/// Keys in one commit.
const FORGET_BATCH: u32 = 100;

/// Fields that belong to one answer and not to what was done.
const NOT_KEPT: [HeaderName; 6] = [
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::DATE,
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
];

/// Where the keys of each service are kept. Goes among the data of an app.
pub struct Idempotency {
    stores: Vec<(Service, Arc<dyn IdempotencyStore>)>,
    seal: Arc<dyn KeySeal>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Idempotency {
    /// Nowhere yet.
    pub fn new(seal: Arc<dyn KeySeal>, clock: Arc<dyn Clock>) -> Self {
        Self { stores: Vec::new(), seal, clock }
    }

    /// Keeps those of this service in the store that has its data: the same, since a change and its mark are one commit.
    #[must_use]
    pub fn with(mut self, service: Service, store: Arc<dyn IdempotencyStore>) -> Self {
        self.stores.push((service, store));
        self
    }

    /// The store of the service that owns a path.
    pub(crate) fn store_of(&self, path: &str) -> Option<Arc<dyn IdempotencyStore>> {
        let owner = routes::owner(path)?;
        self.stores.iter().find(|(service, _)| *service == owner).map(|(_, store)| Arc::clone(store))
    }

    pub(crate) fn seal(&self, plain: &[u8]) -> Vec<u8> {
        self.seal.seal(plain)
    }

    pub(crate) fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        self.seal.open(sealed)
    }

    /// Forgets keys whose time is over, until it is dropped. Any number of processes may do it.
    pub async fn keep_forgetting(&self) {
        let mut ticks = tokio::time::interval(FORGET_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.forget().await;
        }
    }

    async fn forget(&self) {
        for (service, store) in &self.stores {
            let before = self.clock.now() - KEPT;
            loop {
                match store.forget_keys(before, FORGET_BATCH).await {
                    Ok(FORGET_BATCH) => {}
                    Ok(_) => break,
                    Err(error) => {
                        let service = service.name();
                        tracing::warn!(%error, service, "old keys of requests not removed; trying again later");
                        break;
                    }
                }
            }
        }
    }
}

/// The key of a request. A string of RFC 9651 (`"…"`), as the draft has it, or the same without quotes, as most clients send it; they are one key.
///
/// # Errors
/// 400 `invalid_idempotency_key`: more than one, empty, too long, or with other characters than visible ASCII.
pub(crate) fn key(headers: &HeaderMap) -> ApiResult<&str> {
    let wrong = |why: &'static str| Err(Problem::new(Code::InvalidIdempotencyKey).detail(why));
    let mut fields = headers.get_all(HEADER);
    let (Some(field), None) = (fields.next(), fields.next()) else {
        return wrong("There is more than one Idempotency-Key");
    };
    let text = field.to_str().unwrap_or_default().trim();
    let key = match text.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"').unwrap_or_default(),
        None => text,
    };
    // an escape would make two spellings of one key; nobody needs the characters that want one
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    if (1..=MOST_KEY_CHARS).contains(&key.len()) && key.bytes().all(is_plain) {
        Ok(key)
    } else {
        wrong(
            "An Idempotency-Key has 1 to 255 visible characters of ASCII, without quotes and backslashes inside",
        )
    }
}

/// What the key is stored by. Each API token has keys of its own, since what a sign-in was answered may be more than a token may see; all sign-ins of an
/// account share theirs.
pub(crate) fn key_id(caller: &Principal, method: &str, path: &str, key: &str) -> KeyId {
    let token = match caller.session() {
        Some(_) => String::new(),
        None => format!("{:?}", caller.credential),
    };
    KeyId(hash(&[caller.user.bytes(), token.as_bytes(), method.as_bytes(), path.as_bytes(), key.as_bytes()]))
}

/// What stands for the body of an upload, which is not read before it is handled: its length, its digests, and the conditions that it is sent under.
const OF_BODY: [HeaderName; 5] = [
    header::CONTENT_LENGTH,
    digest_fields::CONTENT_DIGEST,
    digest_fields::REPR_DIGEST,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
];

/// See [`OF_BODY`].
pub(crate) fn told_of_body(headers: &HeaderMap) -> Vec<u8> {
    let mut told = Vec::new();
    for name in OF_BODY {
        for value in headers.get_all(&name) {
            for part in [name.as_str().as_bytes(), value.as_bytes()] {
                told.extend((part.len() as u64).to_be_bytes());
                told.extend(part);
            }
        }
    }
    told
}

/// What a repetition must be like, beside method and path: the query and the body.
pub(crate) fn fingerprint(query: &str, body: &[u8]) -> [u8; 32] {
    hash(&[query.as_bytes(), body])
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        // the length keeps one row of parts from passing for another
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// An answer as it is kept: a line of JSON, and the body behind it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    status: u16,
    fields: Vec<(String, String)>,
    /// Whether the body is all there.
    whole: bool,
}

/// An answer in the form in which it is kept. `body` is none where it is a stream.
pub(crate) fn pack(status: StatusCode, headers: &HeaderMap, body: Option<&[u8]>) -> Vec<u8> {
    let mut room = MOST_FIELD_BYTES;
    let mut whole = true;
    let mut fields = Vec::new();
    for (name, value) in headers.iter().filter(|(name, _)| !NOT_KEPT.contains(name)) {
        let size = name.as_str().len() + value.len();
        match value.to_str() {
            Ok(text) if size <= room => {
                room -= size;
                fields.push((name.as_str().to_owned(), text.to_owned()));
            }
            _ => whole = false,
        }
    }
    let body = body.filter(|body| body.len() <= MOST_ANSWER_BYTES);
    let head = Head { status: status.as_u16(), fields, whole: whole && body.is_some() };
    let mut packed = serde_json::to_vec(&head).expect("texts and numbers are JSON");
    packed.push(b'\n');
    packed.extend_from_slice(body.unwrap_or_default());
    packed
}

/// The answer to a repetition, from what was kept; none if that cannot be read.
pub(crate) fn unpack(packed: &[u8]) -> Option<Result<HttpResponse, Problem>> {
    let end = packed.iter().position(|byte| *byte == b'\n')?;
    let head: Head = serde_json::from_slice(&packed[..end]).ok()?;
    let status = StatusCode::from_u16(head.status).ok()?;
    let fields = head.fields.iter().filter_map(|(name, value)| {
        Some((HeaderName::try_from(name.as_str()).ok()?, HeaderValue::from_str(value).ok()?))
    });
    if head.whole {
        let mut answer = HttpResponse::build(status);
        for field in fields {
            answer.append_header(field);
        }
        answer.insert_header((REPLAYED, "true"));
        let body = &packed[end + 1..];
        let answer =
            if body.is_empty() { answer.finish() } else { answer.body(Bytes::copy_from_slice(body)) };
        return Some(Ok(answer));
    }
    let pointers = [header::LOCATION, HeaderName::from_static("operation-id"), header::ETAG];
    let lost = lost("The request was carried out; its answer was too large to be kept")
        .member("answeredStatus", head.status);
    let named = fields.filter(|(name, _)| pointers.contains(name));
    Some(Err(named.fold(lost, |lost, (name, value)| lost.header(name, value))))
}

/// Something was done, and nobody can say what was answered.
pub(crate) fn lost(detail: &'static str) -> Problem {
    Problem::new(Code::AnswerLost).detail(detail).header(REPLAYED, HeaderValue::from_static("true"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::body::MessageBody as _;
    use actix_web::test::TestRequest;
    use common::auth::{AuditCredential, Role};
    use common::{SessionId, UserId};

    fn read(fields: &[&str]) -> Result<String, Code> {
        let request =
            fields.iter().fold(TestRequest::post(), |request, field| request.append_header((HEADER, *field)));
        key(request.to_http_request().headers()).map(str::to_owned).map_err(|problem| problem.code())
    }

    #[test]
    fn a_key_may_stand_in_quotes() {
        assert_eq!(read(&["\"8e03978e-40d5\""]).unwrap(), "8e03978e-40d5");
        assert_eq!(read(&["8e03978e-40d5"]).unwrap(), "8e03978e-40d5");
        assert_eq!(read(&[&"k".repeat(255)]).unwrap().len(), 255);
        for wrong in ["", "\"\"", "\"", "\"a", "a\"", "a b", "\"a\\\\b\"", &"k".repeat(256)] {
            assert_eq!(read(&[wrong]), Err(Code::InvalidIdempotencyKey), "{wrong}");
        }
        assert_eq!(read(&["a", "a"]), Err(Code::InvalidIdempotencyKey));
    }

    #[test]
    fn a_key_belongs_to_its_account_credential_and_call() {
        let (ann, bob) = (UserId::from_bytes([1; 12]), UserId::from_bytes([2; 12]));
        let session = |user, n| Principal::of_session(user, SessionId::from_bytes([n; 12]), Role::User);
        let mut token = session(ann, 1);
        token.credential = AuditCredential::Token(common::TokenId::from_bytes([3; 12]));
        let id = |caller: &Principal, path, key| key_id(caller, "POST", path, key);
        let one = id(&session(ann, 1), "/api/v1/files", "k");
        assert_eq!(one, id(&session(ann, 2), "/api/v1/files", "k"), "she signed in again");
        for other in [
            id(&session(bob, 1), "/api/v1/files", "k"),
            id(&token, "/api/v1/files", "k"),
            id(&session(ann, 1), "/api/v1/file", "sk"),
            id(&session(ann, 1), "/api/v1/files", "l"),
        ] {
            assert_ne!(one, other);
        }
        assert_ne!(fingerprint("a", b"b"), fingerprint("", b"ab"));
    }

    #[test]
    fn an_answer_comes_back_as_it_was() {
        let mut headers = HeaderMap::new();
        headers.insert(header::LOCATION, HeaderValue::from_static("/api/v1/files/1"));
        headers.append(header::SET_COOKIE, HeaderValue::from_static("a=1"));
        headers.append(header::SET_COOKIE, HeaderValue::from_static("b=2"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("7"));
        let packed = pack(StatusCode::CREATED, &headers, Some(b"{\"a\":\n1}"));
        let answer = unpack(&packed).unwrap().unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        assert_eq!(answer.headers().get_all(header::SET_COOKIE).count(), 2);
        assert!(!answer.headers().contains_key(header::CONTENT_LENGTH));
        assert_eq!(answer.headers().get(REPLAYED).unwrap(), "true");
        assert_eq!(answer.into_body().try_into_bytes().unwrap(), &b"{\"a\":\n1}"[..]);
    }

    #[test]
    fn what_is_too_large_to_be_kept_is_told_by_its_place() {
        let mut headers = HeaderMap::new();
        headers.insert(header::LOCATION, HeaderValue::from_static("/api/v1/files/1"));
        let large = vec![b'x'; MOST_ANSWER_BYTES + 1];
        for body in [Some(&*large), None] {
            let problem = unpack(&pack(StatusCode::CREATED, &headers, body)).unwrap().unwrap_err();
            assert_eq!(problem.code(), Code::AnswerLost);
            let answer = actix_web::ResponseError::error_response(&problem);
            assert_eq!(answer.headers().get(header::LOCATION).unwrap(), "/api/v1/files/1");
        }
        headers.insert(header::LINK, HeaderValue::from_str(&"x".repeat(MOST_FIELD_BYTES)).unwrap());
        assert!(unpack(&pack(StatusCode::OK, &headers, Some(b"x"))).unwrap().is_err());
        assert!(unpack(b"no line").is_none() && unpack(b"{}\n").is_none());
    }
}
