//! Every call of the OpenAPI document with every kind of caller, held against a written matrix: none, with each credential that was good once, strangers,
//! people with each role on what the call is about, its owner, tokens of each scope, an administrator. No answer on the way holds a secret.

mod people;
mod second_factor;
mod things;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use common::Sha256;
use reqwest::header::HeaderValue;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::matrix::{About, MATRIX, Role, THINGS, Who};
use crate::product::{Product, send};
use crate::uploads::tus;
use people::{Caller, by, callers};
use second_factor::{enrol, login_by, sign_in};
use things::Things;

/// Of no thing.
const UNKNOWN: &str = "0123456789abcdef01234567";

/// What an answer says of the credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Unknown,
    Refused,
    LetThrough(u16),
}

async fn verdict(request: RequestBuilder, secrets: &[String]) -> Result<Verdict> {
    let mut answer = request.send().await?;
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let is_stream =
        headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    let bytes = if is_stream {
        // has no end: what comes at once is looked at
        tokio::time::timeout(FIRST_EVENTS, answer.chunk()).await.unwrap_or(Ok(None))?.unwrap_or_default()
    } else {
        answer.bytes().await?
    };
    let text = String::from_utf8_lossy(&bytes);
    ensure!(status < 500, "{status}: {text}");
    let head =
        headers.iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
    let head = head.collect::<Vec<_>>().join("\n");
    if let Some(secret) =
        secrets.iter().find(|secret| text.contains(secret.as_str()) || head.contains(secret.as_str()))
    {
        anyhow::bail!("{secret} is in the answer: {head}\n\n{text}");
    }
    if is_stream {
        return Ok(Verdict::LetThrough(status));
    }
    if headers.get("www-authenticate").is_some_and(says_too_little) {
        return Ok(Verdict::Refused);
    }
    // an answer to HEAD has no body
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    Ok(match (status, body["code"].as_str(), body["error"].as_str()) {
        (401, Some("unauthorized"), _) | (401, None, Some("Unauthorized") | None) => Verdict::Unknown,
        (403, Some("forbidden" | "insufficient_scope"), _) | (403, None, Some("Forbidden") | None) => {
            Verdict::Refused
        }
        _ => Verdict::LetThrough(status),
    })
}

fn says_too_little(challenge: &HeaderValue) -> bool {
    challenge.as_bytes().windows(18).any(|word| word == b"insufficient_scope")
}

fn documented() -> Result<Vec<(Method, String)>> {
    let document: Value = serde_json::from_str(include_str!("../../openapi/openapi.json"))?;
    let mut calls = Vec::new();
    for (path, item) in document["paths"].as_object().context("paths")? {
        for method in item.as_object().context("methods")?.keys() {
            calls.push((method.to_uppercase().parse()?, path.clone()));
        }
    }
    // what only looks goes first
    calls.sort_by_key(|(method, path)| (!looks(method), path.clone()));
    Ok(calls)
}

fn looks(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

/// The address of a call about this.
fn filled(path: &str, some_id: &str, version: &str) -> String {
    let at = path.replace("{id}", some_id).replace("{token}", some_id).replace("{version}", version);
    let at = at.replace("{size}", "100").replace("{type}", "some-type").replace("{kind}", "link");
    at.replace("{name}", "name").replace("{provider}", "some-provider").replace("{delivery}", some_id)
}

/// Whether the matrix says that this caller may hear this.
fn is_right(call: &str, who: Who, about: Option<About>, caller: &Caller, found: Verdict) -> bool {
    match (who, about) {
        (Who::Open, Some(about)) => {
            // an answer to HEAD does not say why
            found == caller.told_of(about) || (call.starts_with("HEAD ") && found == Verdict::Unknown)
        }
        (Who::Open, None) => !(found == Verdict::Refused || (found == Verdict::Unknown && call != CONNECT)),
        (Who::Anybody, _) => {
            // a public file is not there for those who may not read files
            let sees = caller.role.is_some() && caller.may(Who::With("files:read"));
            found == Verdict::LetThrough(if sees { 200 } else { 404 })
        }
        _ if caller.is_nobody => found == Verdict::Unknown,
        _ if !caller.may(who) => found == Verdict::Refused,
        (_, Some(about)) if !caller.may_do(about) => {
            let told = caller.told_of(about);
            // the classic API has sentences where the other has codes
            found == told || (told == Verdict::Refused && found == Verdict::LetThrough(403))
        }
        _ => matches!(found, Verdict::LetThrough(_)),
    }
}

/// Every call of the document, with every kind of caller. A call without a row in the matrix fails, and so does a row without a call.
pub async fn every_call_by_every_caller(product: &Product) -> Result<()> {
    let admin = product.set_up().await?;
    let owner = product.register("owner").await?;
    let mut roles = Vec::new();
    for (role, name) in [(Role::Viewer, "viewer"), (Role::Editor, "editor"), (Role::Manager, "manager")] {
        roles.push((role, product.register(name).await?));
    }
    let mut things = Things::made(product, &admin, &owner, &roles).await?;
    let mut callers = callers(product, &admin, &owner, &roles, &things.top).await?;
    let mut recovery = BTreeMap::new();
    for account in [&admin, &owner] {
        recovery.insert(account.email.clone(), enrol(product, account, &mut things.secrets).await?);
    }
    let code = recovery.get_mut(&owner.email).and_then(Vec::pop).context("a recovery code")?;
    let renewed = login_by(product, &owner, &code).await?;
    let refresh = renewed["refreshToken"].as_str().context("a refresh token")?.to_owned();
    let hash = Sha256::of(refresh.as_bytes());
    things.secrets.extend([refresh, hash.to_string(), STANDARD_NO_PAD.encode(hash.0)]);
    let mut rows: BTreeMap<_, _> = MATRIX.iter().map(|(call, who)| (*call, *who)).collect();
    let mut abouts: BTreeMap<_, _> =
        THINGS.iter().map(|(call, about, body)| (*call, (*about, *body))).collect();
    let mut wrong = Vec::new();
    for (method, path) in documented()? {
        let call = format!("{method} {path}");
        let Some(who) = rows.remove(call.as_str()) else {
            wrong.push(format!("{call}: no row in the matrix"));
            continue;
        };
        let thing = abouts.remove(call.as_str());
        let is_of_all =
            matches!(who, Who::Admin | Who::AdminWith(_)) || NOT_ABOUT_ONE.contains(&call.as_str());
        if thing.is_none() && !is_of_all && (path.contains("{id}") || path.contains("{token}")) {
            wrong.push(format!("{call}: what is it about?"));
        }
        for caller in &callers {
            let mut credential = caller.credential.clone();
            if ENDS.contains(&call.as_str())
                && let Some(account) = &caller.account
            {
                credential = Some(sign_in(product, account, &mut recovery).await?.token);
            }
            // whoever may not shall be told so whatever they send, and to whoever may a change shall do nothing: no call takes that body
            let done = thing.filter(|(about, _)| !caller.may_do(*about));
            let at = match (done, thing) {
                (Some((about, _)), _) => filled(&path, things.id_of(about), &things.version),
                (None, Some((about, _))) if looks(&method) => {
                    filled(&path, things.id_of(about), &things.version)
                }
                _ => filled(&path, UNKNOWN, "1"),
            };
            let request = by(product, method.clone(), &at, credential.as_deref());
            let request = match done {
                _ if looks(&method) => request,
                Some((About::Own("upload"), _)) => {
                    let of_tus = request.header("tus-resumable", "1.0.0").header("upload-offset", "0");
                    let of_tus = match method {
                        Method::POST => of_tus.header("x-http-method-override", "PATCH"),
                        _ => of_tus,
                    };
                    of_tus.header("content-type", "application/offset+octet-stream").body("x")
                }
                Some((_, "")) => request,
                Some((_, body)) if body.starts_with('{') => {
                    request.header("content-type", "application/json").body(body)
                }
                Some((_, form)) if form.starts_with("--form\r\n") => {
                    request.header("content-type", "multipart/form-data; boundary=form").body(form)
                }
                Some((_, bytes)) => request.body(bytes),
                None => request.json(&json!("x")),
            };
            let found = verdict(request, &things.secrets);
            let found = found.await.with_context(|| format!("{call} by {}", caller.name))?;
            if !is_right(&call, who, thing.map(|(about, _)| about), caller, found) {
                wrong.push(format!("{call} ({who:?}) by {}: {found:?}", caller.name));
            }
        }
        if call == ENDS_OTHERS {
            for caller in callers.iter_mut().filter(|caller| caller.account.is_some()) {
                let account = caller.account.as_ref().context("an account")?;
                caller.credential = Some(sign_in(product, account, &mut recovery).await?.token);
            }
        }
    }
    wrong.extend(rows.keys().map(|call| format!("{call}: in the matrix, and not in the document")));
    wrong.extend(abouts.keys().map(|call| format!("{call}: about a thing, and not in the document")));
    // nothing that was refused was done; the sign-in of the beginning is long over
    let owner = sign_in(product, &owner, &mut recovery).await?;
    let file = product.get(&owner, &format!("/api/v1/files/{}", things.file)).await?.expect(200)?.json()?;
    ensure!(file["name"] == "other.txt" && file["isPublic"] == false, "{file}");
    ensure!(product.content(&owner, &things.file).await? == "some text");
    ensure!(product.children(&owner, &things.folder).await?.is_empty(), "something came into the folder");
    let upload = tus(product, &owner, Method::HEAD, &format!("/api/v1/uploads/{}", things.others["upload"]));
    ensure!(send(upload).await?.expect(200)?.header("upload-offset") == Some("0"), "the upload grew");
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// How long the first events of a stream are waited for.
const FIRST_EVENTS: Duration = Duration::from_millis(150);

/// Ends the session that it is made with.
const ENDS: [&str; 2] = ["POST /api/v1/auth/logout", "GET /disconnect"];
/// Ends all other sign-ins of whom it is made for.
const ENDS_OTHERS: &str = "DELETE /api/v1/users/me/sessions";
/// Takes a password, and says 401 without one.
const CONNECT: &str = "GET /connect";
/// Have an id in the path that tells nothing: groups are everybody's to share with, and whoever unlocks a link has its token.
const NOT_ABOUT_ONE: [&str; 2] = ["GET /api/v1/groups/{id}", "POST /api/v1/public/{token}/unlock"];
