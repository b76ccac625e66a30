//! Every call of the OpenAPI document with every kind of caller, held against a written matrix: none, with each credential that was good once, strangers,
//! people with each role on what the call is about, its owner, tokens of each scope, an administrator. No answer on the way holds a secret.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use common::{Sha256, Timestamp};
use reqwest::header::HeaderValue;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::credentials::{TOKENS, token};
use crate::matrix::{About, MATRIX, Role, THINGS, Who};
use crate::product::{Account, Product, id, send};
use crate::uploads::{begin, tus};
use crate::wait::until;

const SCOPES: [&str; 7] =
    ["files:read", "files:write", "shares", "jobs:read", "jobs:work", "account", "admin"];
/// Of no thing.
const UNKNOWN: &str = "0123456789abcdef01234567";

/// Somebody who calls.
#[derive(Clone, Debug)]
struct Caller {
    /// For messages.
    name: String,
    credential: Option<String>,
    /// Refused with 401 by whatever wants a credential.
    is_nobody: bool,
    is_admin: bool,
    /// The one scope of a token; none for a sign-in.
    scope: Option<&'static str>,
    /// What they are to the things that the calls are about.
    role: Option<Role>,
    /// Signs in anew for a call that ends the session.
    account: Option<Account>,
}

impl Caller {
    fn nobody(name: &str, credential: Option<String>) -> Self {
        let name = name.to_owned();
        Self { name, credential, is_nobody: true, is_admin: false, scope: None, role: None, account: None }
    }

    fn signed_in(name: &str, account: &Account, role: Option<Role>) -> Self {
        let (credential, account) = (Some(account.token.clone()), Some(account.clone()));
        Self { is_nobody: false, role, account, ..Self::nobody(name, credential) }
    }

    fn may(&self, who: Who) -> bool {
        match (who, self.scope) {
            (Who::Open | Who::Anybody | Who::AnyCredential, _) => true,
            (Who::SignedIn, scope) => scope.is_none(),
            (Who::AdminWith(_) | Who::Admin, _) if !self.is_admin => false,
            (Who::With(wanted) | Who::AdminWith(wanted), Some(scope)) => scope == wanted,
            (Who::Admin, Some(scope)) => scope == "admin",
            (Who::With(_) | Who::AdminWith(_) | Who::Admin, None) => true,
        }
    }

    /// Whether the call about this would be done for them, as far as their credential goes.
    fn may_do(&self, about: About) -> bool {
        match about {
            About::File(needs) | About::Folder(needs) => self.role >= Some(needs),
            About::Opening(_) => self.role >= Some(Role::Manager),
            About::Own(_) => self.role == Some(Role::Owner),
            About::LockedLink => false,
        }
    }

    /// What they are told about it, if it would not be.
    fn told_of(&self, about: About) -> Verdict {
        match about {
            About::File(_) | About::Folder(_) if self.role.is_some() => Verdict::Refused,
            About::File(_) | About::Folder(_) | About::Opening(_) | About::Own(_) => Verdict::LetThrough(404),
            About::LockedLink => Verdict::LetThrough(401),
        }
    }
}

/// What the calls are about. All of it is the owner's, `file` and `folder` lie in a folder that is shared.
struct Things {
    file: String,
    folder: String,
    locked_link: String,
    others: BTreeMap<&'static str, String>,
    /// What no answer may hold.
    secrets: Vec<String>,
}

impl Things {
    async fn made(
        product: &Product,
        admin: &Account,
        owner: &Account,
        roles: &[(Role, Account)],
    ) -> Result<Self> {
        let top = product.make_folder(owner, "root", "shared").await?;
        let folder = product.make_folder(owner, &top, "folder").await?;
        let file = id(&product.upload(owner, &top, "file.txt", "some text").await?)?;
        let shares = format!("/api/v1/files/{top}/shares");
        let mut share = String::new();
        for (role, account) in roles {
            let role = match role {
                Role::Viewer => "viewer",
                Role::Editor => "editor",
                Role::Manager => "manager",
                Role::Owner => continue,
            };
            let body = json!({"address": account.email, "role": role});
            share = id(&product.post(owner, &shares, &body).await?.expect(201)?.json()?)?;
        }
        let password = "open sesame";
        let links = format!("/api/v1/files/{folder}/links");
        let link =
            product.post(owner, &links, &json!({ "password": password })).await?.expect(201)?.json()?;
        let rename = product.as_user(owner, Method::PATCH, &format!("/api/v1/files/{file}"));
        send(rename.json(&json!({"name": "other.txt"}))).await?.expect(200)?;
        let operations = product.get(owner, "/api/v1/operations").await?.expect(200)?.json()?;
        let sessions = product.get(owner, "/api/v1/users/me/sessions").await?.expect(200)?.json()?;
        let upload = begin(product, owner, "unfinished", 10).await?;
        let upload = upload.rsplit('/').next().context("the id of an upload")?.to_owned();
        let job = json!({"type": "some-type", "userId": owner.id});
        let job = product.post(admin, "/api/v1/jobs", &job).await?.expect(201)?.json()?;
        let webhook = json!({"url": "https://receiver.example.org/hook", "events": ["job.failed"]});
        let webhook = product.post(owner, "/api/v1/webhooks", &webhook).await?.expect(201)?.json()?;
        let (token, text) = token(product, owner, &json!({"name": "some", "scopes": ["account"]})).await?;
        let others = BTreeMap::from([
            ("share", share),
            ("link", id(&link)?),
            ("operation", id(&operations["items"][0])?),
            ("session", id(&sessions["items"][0])?),
            ("upload", upload),
            ("job", id(&job)?),
            ("webhook", id(&webhook["webhook"])?),
            ("token", token),
            ("nothing", UNKNOWN.to_owned()),
        ]);
        let webhook_secret = webhook["secret"].as_str().context("the secret of a webhook")?;
        let secrets = ["$2a$", "$2b$", "$2y$", password, &owner.password, webhook_secret, &text]
            .into_iter()
            .map(str::to_owned)
            .chain([Sha256::of(text.as_bytes()).to_string()])
            .collect();
        let locked_link = link["token"].as_str().context("the token of a link")?.to_owned();
        Ok(Self { file, folder, locked_link, others, secrets })
    }

    fn id_of(&self, about: About) -> &str {
        match about {
            About::File(_) => &self.file,
            About::Folder(_) => &self.folder,
            About::Opening(kind) | About::Own(kind) => self.others.get(kind).map_or(UNKNOWN, String::as_str),
            About::LockedLink => &self.locked_link,
        }
    }
}

fn by(product: &Product, method: Method, path: &str, credential: Option<&str>) -> RequestBuilder {
    let request = product.request(method, path);
    match credential {
        Some(token) => request.bearer_auth(token),
        None => request,
    }
}

async fn callers(
    product: &Product,
    admin: &Account,
    owner: &Account,
    roles: &[(Role, Account)],
) -> Result<Vec<Caller>> {
    let other = product.register("other").await?;
    let of_admin = Caller { is_admin: true, ..Caller::signed_in("an administrator", admin, None) };
    let of_owner = Caller::signed_in("the owner", owner, Some(Role::Owner));
    let mut all = vec![
        Caller::nobody("nobody", None),
        Caller::signed_in("another user", &other, None),
        of_admin.clone(),
        of_owner.clone(),
    ];
    for (role, account) in roles {
        all.push(Caller::signed_in(&format!("somebody who is {role:?}"), account, Some(*role)));
    }
    for scope in SCOPES {
        for (account, whose) in [(owner, &of_owner), (admin, &of_admin)] {
            if !whose.is_admin && matches!(scope, "jobs:work" | "admin") {
                continue;
            }
            let (_, text) = token(product, account, &json!({"name": scope, "scopes": [scope]})).await?;
            let name = format!("a token of {} for {scope}", whose.name);
            let credential = Some(text);
            all.push(Caller { name, credential, scope: Some(scope), account: None, ..whose.clone() });
        }
    }
    let every: Vec<_> = SCOPES.into_iter().filter(|scope| !matches!(*scope, "jobs:work" | "admin")).collect();
    let (revoked_id, revoked) = token(product, owner, &json!({"name": "revoked", "scopes": every})).await?;
    send(product.as_user(owner, Method::DELETE, &format!("{TOKENS}/{revoked_id}"))).await?.expect(204)?;
    all.push(Caller::nobody("a token that was ended", Some(revoked)));
    all.push(Caller::nobody("a token past its time", Some(expired(product, owner, &every).await?)));
    let disabled = product.register("disabled").await?;
    let (_, of_disabled) = token(product, &disabled, &json!({"name": "kept", "scopes": every})).await?;
    let change = product.as_user(admin, Method::PATCH, &format!("/api/v1/admin/users/{}", disabled.id));
    send(change.json(&json!({"disabled": true}))).await?.expect(200)?;
    all.push(Caller::nobody("a disabled account", Some(disabled.token)));
    all.push(Caller::nobody("a token of a disabled account", Some(of_disabled)));
    Ok(all)
}

/// A token whose time is over.
async fn expired(product: &Product, owner: &Account, scopes: &[&str]) -> Result<String> {
    // the server's time, a moment ago
    let body = json!({"name": "for its time", "scopes": scopes, "password": owner.password});
    let made = product.post(owner, TOKENS, &body).await?.expect(201)?.json()?;
    let now = made["createdAt"].as_str().and_then(Timestamp::parse).context("the time")?;
    let body = json!({"name": "short", "scopes": scopes, "expiresAt": now + Duration::from_secs(3)});
    let (_, text) = token(product, owner, &body).await?;
    until("the token ends", || async {
        let answer = send(by(product, Method::GET, "/api/v1/users/me", Some(&text))).await?;
        Ok((answer.status.as_u16() == 401).then_some(()))
    })
    .await?;
    Ok(text)
}

/// What an answer says of the credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Unknown,
    Refused,
    LetThrough(u16),
}

async fn verdict(request: RequestBuilder, secrets: &[String]) -> Result<Verdict> {
    let answer = request.send().await?;
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    // has no end
    if headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
        return Ok(Verdict::LetThrough(status));
    }
    let bytes = answer.bytes().await?;
    let text = String::from_utf8_lossy(&bytes);
    ensure!(status < 500, "{status}: {text}");
    if let Some(secret) = secrets.iter().find(|secret| text.contains(secret.as_str())) {
        anyhow::bail!("{secret} is in the answer: {text}");
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
fn filled(path: &str, some_id: &str) -> String {
    let at = path.replace("{id}", some_id).replace("{token}", some_id).replace("{version}", "1");
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
    let things = Things::made(product, &admin, &owner, &roles).await?;
    let mut callers = callers(product, &admin, &owner, &roles).await?;
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
                credential = Some(product.login(&account.email, &account.password).await?.token);
            }
            // whoever may not shall be told so whatever they send, and to whoever may a change shall do nothing: no call takes that body
            let done = thing.filter(|(about, _)| !caller.may_do(*about));
            let at = match (done, thing) {
                (Some((about, _)), _) => filled(&path, things.id_of(about)),
                (None, Some((about, _))) if looks(&method) => filled(&path, things.id_of(about)),
                _ => filled(&path, UNKNOWN),
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
                caller.credential = Some(product.login(&account.email, &account.password).await?.token);
            }
        }
    }
    wrong.extend(rows.keys().map(|call| format!("{call}: in the matrix, and not in the document")));
    wrong.extend(abouts.keys().map(|call| format!("{call}: about a thing, and not in the document")));
    // nothing that was refused was done; the sign-in of the beginning is long over
    let owner = product.login(&owner.email, &owner.password).await?;
    let file = product.get(&owner, &format!("/api/v1/files/{}", things.file)).await?.expect(200)?.json()?;
    ensure!(file["name"] == "other.txt" && file["isPublic"] == false, "{file}");
    ensure!(product.content(&owner, &things.file).await? == "some text");
    ensure!(product.children(&owner, &things.folder).await?.is_empty(), "something came into the folder");
    let upload = tus(product, &owner, Method::HEAD, &format!("/api/v1/uploads/{}", things.others["upload"]));
    ensure!(send(upload).await?.expect(200)?.header("upload-offset") == Some("0"), "the upload grew");
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Ends the session that it is made with.
const ENDS: [&str; 2] = ["POST /api/v1/auth/logout", "GET /disconnect"];
/// Ends all other sign-ins of whom it is made for.
const ENDS_OTHERS: &str = "DELETE /api/v1/users/me/sessions";
/// Takes a password, and says 401 without one.
const CONNECT: &str = "GET /connect";
/// Have an id in the path that tells nothing: groups are everybody's to share with, and whoever unlocks a link has its token.
const NOT_ABOUT_ONE: [&str; 2] = ["GET /api/v1/groups/{id}", "POST /api/v1/public/{token}/unlock"];
