//! What each credential is good for: every call of the OpenAPI document with every kind of credential, held against a written matrix; and tokens that are
//! limited to a folder.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use common::Timestamp;
use reqwest::header::HeaderValue;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::matrix::{MATRIX, Who};
use crate::product::{Account, Product, id, send};
use crate::wait::until;

const TOKENS: &str = "/api/v1/users/me/tokens";
const SCOPES: [&str; 7] =
    ["files:read", "files:write", "shares", "jobs:read", "jobs:work", "account", "admin"];

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
    /// Sees the file that the calls are about.
    owns_the_file: bool,
    /// Signs in anew for a call that ends the session.
    account: Option<Account>,
}

impl Caller {
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
}

async fn token(product: &Product, account: &Account, body: &Value) -> Result<(String, String)> {
    let mut body = body.clone();
    body["password"] = json!(account.password);
    let made = product.post(account, TOKENS, &body).await?.expect(201)?.json()?;
    let text = made["token"].as_str().context("the text of the token")?.to_owned();
    Ok((id(&made)?, text))
}

fn by(product: &Product, method: Method, path: &str, credential: Option<&str>) -> RequestBuilder {
    let request = product.request(method, path);
    match credential {
        Some(token) => request.bearer_auth(token),
        None => request,
    }
}

async fn callers(product: &Product, admin: &Account, owner: &Account) -> Result<Vec<Caller>> {
    let nobody = |name: &str, credential: Option<String>| Caller {
        name: name.to_owned(),
        credential,
        is_nobody: true,
        is_admin: false,
        scope: None,
        owns_the_file: false,
        account: None,
    };
    let signed_in = |name: &str, account: &Account, is_admin| Caller {
        is_nobody: false,
        is_admin,
        owns_the_file: account.id == owner.id,
        account: Some(account.clone()),
        ..nobody(name, Some(account.token.clone()))
    };
    let other = product.register("other").await?;
    let mut all = vec![
        nobody("nobody", None),
        signed_in("another user", &other, false),
        signed_in("the owner", owner, false),
        signed_in("an administrator", admin, true),
    ];
    for scope in SCOPES {
        for (account, is_admin) in [(owner, false), (admin, true)] {
            if !is_admin && matches!(scope, "jobs:work" | "admin") {
                continue;
            }
            let (_, text) = token(product, account, &json!({"name": scope, "scopes": [scope]})).await?;
            let whose = if is_admin { "an administrator" } else { "the owner" };
            let caller = signed_in(&format!("a token of {whose} for {scope}"), account, is_admin);
            all.push(Caller { credential: Some(text), scope: Some(scope), account: None, ..caller });
        }
    }
    let every: Vec<_> = SCOPES.into_iter().filter(|scope| !matches!(*scope, "jobs:work" | "admin")).collect();
    let (revoked_id, revoked) = token(product, owner, &json!({"name": "revoked", "scopes": every})).await?;
    send(product.as_user(owner, Method::DELETE, &format!("{TOKENS}/{revoked_id}"))).await?.expect(204)?;
    all.push(nobody("a token that was ended", Some(revoked)));
    all.push(nobody("a token past its time", Some(expired(product, owner, &every).await?)));
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

async fn verdict(request: RequestBuilder) -> Result<Verdict> {
    let answer = request.send().await?;
    let status = answer.status().as_u16();
    // what is let through may be a stream without an end
    if !matches!(status, 401 | 403) {
        ensure!(status < 500, "{status}: {}", answer.text().await?);
        return Ok(Verdict::LetThrough(status));
    }
    if answer.headers().get("www-authenticate").is_some_and(says_too_little) {
        return Ok(Verdict::Refused);
    }
    // an answer to HEAD has no body
    let body: Value = serde_json::from_slice(&answer.bytes().await?).unwrap_or_default();
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
    calls.sort_by_key(|(method, path)| (*method != Method::GET && *method != Method::HEAD, path.clone()));
    Ok(calls)
}

/// Every call of the document, with every kind of credential. A call without a row in the matrix fails, and so does a row without a call.
pub async fn every_call_asks_for_its_scope(product: &Product) -> Result<()> {
    let admin = product.set_up().await?;
    let owner = product.register("owner").await?;
    let read = id(&product.upload(&owner, "root", "read.txt", "to be read").await?)?;
    let changed = id(&product.upload(&owner, "root", "changed.txt", "to be changed").await?)?;
    let mut callers = callers(product, &admin, &owner).await?;
    let mut rows: BTreeMap<_, _> = MATRIX.iter().map(|(call, who)| (*call, *who)).collect();
    let mut wrong = Vec::new();
    for (method, path) in documented()? {
        let call = format!("{method} {path}");
        let Some(who) = rows.remove(call.as_str()) else {
            wrong.push(format!("{call}: no row in the matrix"));
            continue;
        };
        let looks = method == Method::GET || method == Method::HEAD;
        let of_file = path.starts_with("/files/{id}") || path.starts_with("/api/v1/files/{id}");
        let file = if looks { &read } else { &changed };
        let some_id = if of_file { file.as_str() } else { "0123456789abcdef01234567" };
        let at = path.replace("{id}", some_id).replace("{size}", "100").replace("{type}", "some-type");
        let at = at.replace("{kind}", "link");
        let at = at.replace("{name}", "name").replace("{token}", some_id);
        for caller in &callers {
            let mut credential = caller.credential.clone();
            if ENDS.contains(&call.as_str())
                && let Some(account) = &caller.account
            {
                credential = Some(product.login(&account.email, &account.password).await?.token);
            }
            let request = by(product, method.clone(), &at, credential.as_deref());
            // what is let through shall do nothing: no call takes this body
            let request = if looks { request } else { request.json(&json!("x")) };
            let found = verdict(request).await.with_context(|| format!("{call} by {}", caller.name))?;
            let right = match who {
                Who::Open => !(found == Verdict::Refused || (found == Verdict::Unknown && call != CONNECT)),
                Who::Anybody => {
                    // a public file is not there for those who may not read files
                    let sees = caller.owns_the_file && caller.may(Who::With("files:read"));
                    found == Verdict::LetThrough(if sees { 200 } else { 404 })
                }
                _ if caller.is_nobody => found == Verdict::Unknown,
                _ if !caller.may(who) => found == Verdict::Refused,
                // nobody else learns that it is there
                _ if of_file && !caller.owns_the_file && path.ends_with("/children") => {
                    found == Verdict::LetThrough(404)
                }
                _ if of_file && !caller.owns_the_file => {
                    matches!(found, Verdict::LetThrough(404)) || (!looks && found == Verdict::LetThrough(409))
                }
                _ => matches!(found, Verdict::LetThrough(_)),
            };
            if !right {
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
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Ends the session that it is made with.
const ENDS: [&str; 2] = ["POST /api/v1/auth/logout", "GET /disconnect"];
/// Ends all other sign-ins of whom it is made for.
const ENDS_OTHERS: &str = "DELETE /api/v1/users/me/sessions";
/// Takes a password, and says 401 without one.
const CONNECT: &str = "GET /connect";

/// What a token opens to others outlives it, and is no more than it may do itself.
pub async fn a_token_gives_no_more_than_it_has(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let folder = product.make_folder(&ada, "root", "folder").await?;
    let by_scopes = async |scopes: &[&str]| -> Result<Account> {
        let (_, text) = token(product, &ada, &json!({"name": "some", "scopes": scopes})).await?;
        Ok(Account { token: text, ..ada.clone() })
    };
    let link = |account: &Account, role: &str| {
        let request = product.as_user(account, Method::POST, &format!("/api/v1/files/{folder}/links"));
        send(request.json(&json!({ "role": role })))
    };
    let sharing = by_scopes(&["shares"]).await?;
    let reading = by_scopes(&["shares", "files:read"]).await?;
    let writing = by_scopes(&["shares", "files:read", "files:write"]).await?;
    for role in ["viewer", "preview-only", "editor", "dropper"] {
        link(&sharing, role).await?.expect_problem(403, "insufficient_scope")?;
    }
    for role in ["editor", "dropper"] {
        link(&reading, role).await?.expect_problem(403, "insufficient_scope")?;
        link(&writing, role).await?.expect(201)?;
    }
    let made = link(&reading, "viewer").await?.expect(201)?.json()?;
    let change = |account: &Account, role: &str| {
        let id = made["id"].as_str().unwrap_or_default();
        let request = product.as_user(account, Method::PATCH, &format!("/api/v1/links/{id}"));
        send(request.json(&json!({ "role": role })))
    };
    change(&reading, "editor").await?.expect_problem(403, "insufficient_scope")?;
    change(&sharing, "viewer").await?.expect_problem(403, "insufficient_scope")?;
    // nor does it learn how links of others are called that let one do more
    for (account, told) in [(&sharing, 0), (&reading, 1), (&writing, 3)] {
        let list = product.get(account, "/api/v1/links").await?.expect(200)?.json()?;
        let items = list["items"].as_array().context("links")?;
        ensure!(items.len() == 3 && items.iter().filter(|item| item["token"].is_string()).count() == told);
    }
    let shares = format!("/api/v1/files/{folder}/shares");
    let eve = product.register("eve").await?;
    for (account, role) in [(&sharing, "viewer"), (&reading, "editor"), (&reading, "manager")] {
        let body = json!({"userId": eve.id, "role": role});
        product.post(account, &shares, &body).await?.expect_problem(403, "insufficient_scope")?;
    }
    let file_writing = by_scopes(&["files:write"]).await?;
    let classic = json!({"name": "open.txt", "type": "file", "isPublic": true, "data": "eA=="});
    send(product.as_user(&file_writing, Method::POST, "/files").json(&classic)).await?.expect(403)?;
    send(product.as_user(&writing, Method::POST, "/files").json(&classic)).await?.expect(201)?;
    Ok(())
}

/// What a token that ends opens to others ends with it: nothing of it stays when its time is over.
pub async fn what_a_token_opens_ends_with_it(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let folder = product.make_folder(&ada, "root", "folder").await?;
    let file = id(&product.upload(&ada, &folder, "a.txt", "a").await?)?;
    let scopes = ["shares", "files:read", "files:write"];
    let (_, text) = token(product, &ada, &json!({"name": "endless", "scopes": scopes})).await?;
    let endless = Account { token: text, ..ada.clone() };
    let listed = product.get(&ada, TOKENS).await?.expect(200)?.json()?;
    let now = listed["items"][0]["createdAt"].as_str().and_then(Timestamp::parse).context("the time")?;
    let end = now + Duration::from_secs(3600);
    let body = json!({"name": "an hour", "scopes": scopes, "expiresAt": end});
    let (_, text) = token(product, &ada, &body).await?;
    let short = Account { token: text, ..ada.clone() };

    let links = format!("/api/v1/files/{folder}/links");
    for wrong in [json!({}), json!({"expiresAt": end + Duration::from_secs(1)})] {
        product.post(&short, &links, &wrong).await?.expect_problem(403, "forbidden")?;
        product.post(&endless, &links, &wrong).await?.expect(201)?;
    }
    let made = product.post(&short, &links, &json!({ "expiresAt": end })).await?.expect(201)?.json()?;
    let path = format!("/api/v1/links/{}", id(&made)?);
    let change = |account: &Account, path: &str, body: Value| {
        send(product.as_user(account, Method::PATCH, path).json(&body))
    };
    for wrong in [json!({ "expiresAt": null }), json!({"expiresAt": end + Duration::from_secs(1)})] {
        change(&short, &path, wrong).await?.expect_problem(403, "forbidden")?;
    }
    change(&short, &path, json!({"label": "for an hour"})).await?.expect(200)?;
    // nor does it widen one that outlives it
    let lasting = product.post(&ada, &links, &json!({})).await?.expect(201)?.json()?;
    let lasting = format!("/api/v1/links/{}", id(&lasting)?);
    change(&short, &lasting, json!({"role": "editor"})).await?.expect_problem(403, "forbidden")?;
    change(&short, &lasting, json!({"role": "editor", "expiresAt": end})).await?.expect(200)?;
    send(product.as_user(&short, Method::DELETE, &lasting)).await?.expect(204)?;

    // rights and what is public have no end
    let eve = product.register("eve").await?;
    let shares = format!("/api/v1/files/{folder}/shares");
    let right = json!({"userId": eve.id, "role": "viewer"});
    product.post(&short, &shares, &right).await?.expect_problem(403, "forbidden")?;
    let given = product.post(&endless, &shares, &right).await?.expect(201)?.json()?;
    let given = format!("/api/v1/shares/{}", id(&given)?);
    change(&short, &given, json!({"role": "editor"})).await?.expect_problem(403, "forbidden")?;
    send(product.as_user(&short, Method::DELETE, &given)).await?.expect(204)?;
    let publish = |account: &Account, path: &str| {
        send(product.as_user(account, Method::PUT, &format!("{path}/{file}/public")))
    };
    publish(&short, "/api/v1/files").await?.expect_problem(403, "forbidden")?;
    send(product.as_user(&short, Method::PUT, &format!("/files/{file}/publish"))).await?.expect(403)?;
    publish(&endless, "/api/v1/files").await?.expect(200)?;
    send(product.as_user(&short, Method::DELETE, &format!("/api/v1/files/{file}/public")))
        .await?
        .expect(200)?;
    let classic = json!({"name": "open.txt", "type": "file", "isPublic": true, "data": "eA=="});
    send(product.as_user(&short, Method::POST, "/files").json(&classic)).await?.expect(403)?;
    Ok(())
}

/// To a token with a folder that folder and what is below it is all there is.
pub async fn a_token_with_a_folder_sees_nothing_else(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let outside = product.make_folder(&ada, "root", "outside").await?;
    let folder = product.make_folder(&ada, &outside, "mine").await?;
    let below = product.make_folder(&ada, &folder, "below").await?;
    let inside = id(&product.upload(&ada, &below, "inside.txt", "inside").await?)?;
    let beside = id(&product.upload(&ada, &outside, "beside.txt", "beside").await?)?;
    let scopes = ["files:read", "files:write", "shares"];
    let body = json!({"name": "one folder", "scopes": scopes, "folderId": folder});
    let (_, text) = token(product, &ada, &body).await?;
    let limited = Account { token: text, ..ada.clone() };

    for path in [&*inside, &*below, &*folder] {
        product.get(&limited, &format!("/api/v1/files/{path}")).await?.expect(200)?;
    }
    ensure!(product.content(&limited, &inside).await? == "inside");
    let shown = product.get(&limited, &format!("/api/v1/files/{folder}")).await?.expect(200)?.json()?;
    ensure!(shown["parentId"].is_null(), "what is above the folder is not told: {shown}");
    let way = product.get(&limited, &format!("/api/v1/files/{inside}/path")).await?.expect(200)?.json()?;
    ensure!(way["items"][0]["id"] == folder.as_str(), "the way begins at the folder: {way}");
    for path in [
        format!("/api/v1/files/{outside}"),
        format!("/api/v1/files/{outside}/children"),
        format!("/api/v1/files/{beside}/content"),
        format!("/api/v1/files/{beside}/path"),
        format!("/api/v1/files/{beside}/thumbnails/100"),
        "/api/v1/files/root".to_owned(),
        "/api/v1/files/root/children".to_owned(),
        "/api/v1/trash".to_owned(),
        "/api/v1/usage".to_owned(),
        "/api/v1/activity".to_owned(),
        format!("/api/v1/activity?file={beside}"),
        "/api/v1/events".to_owned(),
        "/api/v1/uploads".to_owned(),
        "/api/v1/shares/by-me".to_owned(),
        "/api/v1/shares/with-me".to_owned(),
        "/api/v1/links".to_owned(),
        "/api/v1/access".to_owned(),
    ] {
        product.get(&limited, &path).await?.expect_problem(404, "not_found")?;
    }
    product.get(&limited, "/api/v1/limits").await?.expect_problem(404, "parent_not_found")?;
    let upload = product.as_user(&limited, Method::POST, "/api/v1/uploads").header("tus-resumable", "1.0.0");
    send(upload.header("upload-length", "1")).await?.expect_problem(404, "not_found")?;
    // also what everybody may read
    let publish = |id: &str, account: &Account| {
        send(product.as_user(account, Method::PUT, &format!("/api/v1/files/{id}/public")))
    };
    publish(&beside, &ada).await?.expect(200)?;
    product
        .get(&limited, &format!("/api/v1/files/{beside}/content"))
        .await?
        .expect_problem(404, "not_found")?;
    publish(&inside, &limited).await?.expect(200)?;
    publish(&beside, &limited).await?.expect_problem(404, "not_found")?;

    product.make_folder(&limited, &folder, "new").await?;
    product.upload(&limited, &below, "new.txt", "new").await?;
    product.put(&limited, &outside, "new.txt", "new").await?.expect_problem(404, "parent_not_found")?;
    product.put(&limited, "root", "new.txt", "new").await?.expect_problem(404, "parent_not_found")?;
    let change = |id: &str, body: Value| {
        send(product.as_user(&limited, Method::PATCH, &format!("/api/v1/files/{id}")).json(&body))
    };
    change(&inside, json!({"parentId": folder})).await?.expect(200)?;
    change(&inside, json!({"parentId": outside})).await?.expect_problem(404, "parent_not_found")?;
    change(&inside, json!({"parentId": "root"})).await?.expect_problem(404, "parent_not_found")?;
    change(&beside, json!({"parentId": folder})).await?.expect_problem(404, "not_found")?;
    // the folder itself is as a root
    change(&folder, json!({"name": "other"})).await?.expect_problem(403, "forbidden")?;
    let remove = |id: &str| send(product.as_user(&limited, Method::DELETE, &format!("/api/v1/files/{id}")));
    remove(&folder).await?.expect_problem(403, "forbidden")?;
    remove(&beside).await?.expect_problem(404, "not_found")?;
    remove(&inside).await?.expect(204)?;
    let restore = format!("/api/v1/files/{inside}/restore");
    send(product.as_user(&limited, Method::POST, &restore)).await?.expect(200)?;
    product.get(&ada, &format!("/api/v1/files/{beside}/content")).await?.expect(200)?;
    Ok(())
}
