//! What a fresh product answers to one fixed conversation, in a form that is the same for every form of the product.

use anyhow::{Result, ensure};
use image::{DynamicImage, ImageFormat};
use reqwest::header::{CONTENT_LENGTH, VARY};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::contents::noise;
use crate::product::{Account, Answer, Product, id, send};
use crate::wait::until;

/// Fields of one connection, or of the one who holds it: RFC 9110, 7.6.1; and who the server is.
const NOT_COMPARED: &[&str] = &["connection", "keep-alive", "transfer-encoding", "server", "date"];

/// Each step of the conversation with its status and its header fields, one a line; what is different in each installation is replaced by its kind.
///
/// # Errors
/// When there is no answer, or what later steps stand on is refused.
pub async fn transcript(product: &Product) -> Result<Vec<String>> {
    let mut heard = Heard::default();
    accounts(product, &mut heard).await?;
    let ada = product.register("ada").await?;
    refusals(product, &ada, &mut heard).await?;
    documents(product, &ada, &mut heard).await?;
    contents(product, &ada, &mut heard).await?;
    pictures(product, &ada, &mut heard).await?;
    classic(product, &mut heard).await?;
    Ok(heard.0)
}

#[derive(Default)]
struct Heard(Vec<String>);

impl Heard {
    async fn ask(&mut self, step: &str, request: RequestBuilder) -> Result<Answer> {
        let answer = send(request).await?;
        // ids and tokens in a document are not of the same length everywhere
        let kind = answer.header("content-type").unwrap_or_default();
        let mut fields: Vec<String> = answer
            .headers
            .iter()
            .filter(|(name, _)| !NOT_COMPARED.contains(&name.as_str()))
            // said by whoever may compress, about what is large enough for it
            .filter(|(name, value)| !(*name == VARY && *value == "Accept-Encoding"))
            .map(|(name, value)| {
                let value = value.to_str().unwrap_or("(no text)");
                let document = kind.contains("json") && name == CONTENT_LENGTH;
                let value = if document { "(a length)".to_owned() } else { alike(name.as_str(), value) };
                format!("{step} · {name}: {value}")
            })
            .collect();
        fields.sort();
        self.0.push(format!("{step} · {}{}", answer.status.as_u16(), code(&answer)));
        self.0.append(&mut fields);
        Ok(answer)
    }
}

/// The code of a problem document, and that of a classic answer.
fn code(answer: &Answer) -> String {
    let kind = answer.header("content-type").unwrap_or_default();
    if !answer.status.is_client_error() || !kind.contains("json") {
        return String::new();
    }
    let body: Value = answer.json().unwrap_or_default();
    format!(" {} {}", body["code"].as_str().unwrap_or_default(), body["error"].as_str().unwrap_or_default())
}

/// The value with what no two installations have in common replaced.
fn alike(name: &str, value: &str) -> String {
    match name {
        "x-request-id" => "(an id)".to_owned(),
        "last-modified" => "(a date)".to_owned(),
        "etag" => format!("{}(a tag)", if value.starts_with("W/") { "weak " } else { "" }),
        "location" => mask_ids(value),
        "set-cookie" => {
            let (name, rest) = value.split_once('=').unwrap_or((value, ""));
            let attributes = rest.split_once(';').map_or("", |(_, attributes)| attributes);
            format!("{name}=(a token);{attributes}")
        }
        "content-type" => match value.split_once("boundary=") {
            Some((kind, _)) => format!("{kind}boundary=(a boundary)"),
            None => value.to_owned(),
        },
        _ => value.to_owned(),
    }
}

fn mask_ids(path: &str) -> String {
    let is_id = |part: &&str| part.len() == 24 && part.bytes().all(|digit| digit.is_ascii_hexdigit());
    path.split('/').map(|part| if is_id(&part) { "(id)" } else { part }).collect::<Vec<_>>().join("/")
}

async fn accounts(product: &Product, heard: &mut Heard) -> Result<()> {
    let post = |path: &str, body: Value| product.request(Method::POST, path).json(&body);
    let grace = json!({"email": "grace@example.org", "password": "password of grace", "session": "cookie"});
    heard.ask("register with a cookie", post("/api/v1/auth/register", grace.clone())).await?.expect(201)?;
    heard.ask("register again", post("/api/v1/auth/register", grace.clone())).await?;
    let login = heard.ask("login with a cookie", post("/api/v1/auth/login", grace)).await?.expect(200)?;
    let cookie = login.header("set-cookie").and_then(|cookie| cookie.split(';').next()).unwrap_or_default();
    ensure!(!cookie.is_empty(), "no cookie: {:?}", login.headers);
    let with = |method: Method, path: &str| {
        product.request(method, path).header("cookie", cookie).header("sec-fetch-site", "same-origin")
    };
    heard.ask("me by cookie", with(Method::GET, "/api/v1/users/me")).await?;
    let foreign = with(Method::POST, "/api/v1/files").header("sec-fetch-site", "cross-site");
    heard.ask("change from elsewhere", foreign.json(&json!({"name": "f"}))).await?;
    heard.ask("logout", with(Method::POST, "/api/v1/auth/logout")).await?;
    heard.ask("me after logout", with(Method::GET, "/api/v1/users/me")).await?;
    let wrong = json!({"email": "grace@example.org", "password": "not this"});
    heard.ask("wrong password", post("/api/v1/auth/login", wrong)).await?;
    heard.ask("a word is missing", post("/api/v1/auth/login", json!({"email": "grace@example.org"}))).await?;
    Ok(())
}

async fn refusals(product: &Product, ada: &Account, heard: &mut Heard) -> Result<()> {
    let no_folder = "000000000000000000000000";
    for (step, request) in [
        ("no credential", product.request(Method::GET, "/api/v1/files/root")),
        ("forged token", product.request(Method::GET, "/api/v1/files/root").bearer_auth("a.b.c")),
        ("no such file", product.as_user(ada, Method::GET, &format!("/api/v1/files/{no_folder}"))),
        ("no id", product.as_user(ada, Method::GET, "/api/v1/files/x")),
        ("no such route", product.as_user(ada, Method::GET, "/api/v1/nothing")),
        ("no such method", product.as_user(ada, Method::DELETE, "/api/v1/usage")),
        ("options", product.as_user(ada, Method::OPTIONS, "/api/v1/files/root/children")),
        ("no json", product.as_user(ada, Method::POST, "/api/v1/files").body("{")),
        ("no name", product.as_user(ada, Method::POST, "/api/v1/files").json(&json!({"parentId": "root"}))),
        ("internal", product.as_user(ada, Method::GET, "/internal/stats")),
        ("a dot path", product.as_user(ada, Method::GET, "/api/v1/files/%2e%2e/x")),
        ("list of jobs", product.as_user(ada, Method::GET, "/api/v1/jobs")),
    ] {
        heard.ask(step, request).await?;
    }
    Ok(())
}

async fn documents(product: &Product, ada: &Account, heard: &mut Heard) -> Result<()> {
    let folder = json!({"name": "a folder", "parentId": "root"});
    let post = || product.as_user(ada, Method::POST, "/api/v1/files").json(&folder);
    heard.ask("make a folder", post()).await?.expect(201)?;
    heard.ask("make it again", post()).await?;
    for (step, path) in [
        ("a node", "/api/v1/files/root"),
        ("a list", "/api/v1/files/root/children?limit=1"),
        ("a list with a wrong limit", "/api/v1/files/root/children?limit=0"),
        ("a list with a wrong cursor", "/api/v1/files/root/children?cursor=x"),
        ("usage", "/api/v1/usage"),
        ("me", "/api/v1/users/me"),
        ("own jobs", "/api/v1/users/me/jobs"),
        ("the trash", "/api/v1/trash"),
        ("setup", "/api/v1/setup"),
        ("status", "/status"),
        ("the key set", "/.well-known/jwks.json"),
        ("the document of the API", "/api/openapi.json"),
    ] {
        heard.ask(step, product.as_user(ada, Method::GET, path)).await?;
    }
    Ok(())
}

async fn contents(product: &Product, ada: &Account, heard: &mut Heard) -> Result<()> {
    let html = "<!doctype html><script>alert(1)</script>".as_bytes().to_vec();
    for (name, bytes) in [
        ("empty.txt", Vec::new()),
        ("small.bin", noise(10_000, 1)),
        ("large.bin", noise(300_000, 2)),
        ("naïve “quote” 日本.txt", b"text".repeat(10_000)),
        ("page.html", html.clone()),
        ("large.html", html.repeat(1_000)),
    ] {
        let path = format!("/api/v1/files/root/children/{}/content", crate::product::encode(name));
        let put = || product.as_user(ada, Method::PUT, &path).body(bytes.clone());
        let made = heard.ask(&format!("{name}: upload"), put()).await?.expect(201)?.json()?;
        heard.ask(&format!("{name}: upload again"), put()).await?;
        let path = format!("/api/v1/files/{}/content", id(&made)?);
        let get = || product.as_user(ada, Method::GET, &path);
        let whole = heard.ask(&format!("{name}: whole"), get()).await?.expect(200)?;
        ensure!(whole.body == bytes, "{name} came back differently");
        let tag = whole.header("etag").unwrap_or_default();
        let date = whole.header("last-modified").unwrap_or_default();
        for (step, request) in [
            ("head", product.as_user(ada, Method::HEAD, &path)),
            ("download", product.as_user(ada, Method::GET, &format!("{path}?download=true"))),
            ("stranger", product.request(Method::GET, &path)),
            ("range", get().header("range", "bytes=1-3")),
            ("head of a range", product.as_user(ada, Method::HEAD, &path).header("range", "bytes=1-3")),
            ("end", get().header("range", "bytes=-2")),
            ("two ranges", get().header("range", "bytes=0-1,5-6")),
            ("beyond", get().header("range", "bytes=9999999-")),
            ("unknown unit", get().header("range", "lines=1-2")),
            ("the same tag", get().header("if-none-match", tag)),
            ("another tag", get().header("if-none-match", "\"another\"")),
            ("not since", get().header("if-modified-since", date)),
            ("must be the tag", get().header("if-match", tag)),
            ("must be another", get().header("if-match", "\"another\"")),
            ("unmodified", get().header("if-unmodified-since", date)),
            ("modified", get().header("if-unmodified-since", "Sun, 06 Nov 1994 08:49:37 GMT")),
            ("rest of the same", get().header("range", "bytes=2-").header("if-range", tag)),
            ("rest of another", get().header("range", "bytes=2-").header("if-range", "\"another\"")),
            ("encodings", get().header("accept-encoding", "gzip, br")),
            ("digest wanted", get().header("want-repr-digest", "sha-256=5")),
        ] {
            heard.ask(&format!("{name}: {step}"), request).await?;
        }
    }
    Ok(())
}

async fn pictures(product: &Product, ada: &Account, heard: &mut Heard) -> Result<()> {
    let mut png = std::io::Cursor::new(Vec::new());
    DynamicImage::new_rgb8(600, 400).write_to(&mut png, ImageFormat::Png)?;
    let file = id(&product.upload(ada, "root", "picture.png", png.into_inner()).await?)?;
    let path = format!("/api/v1/files/{file}");
    until("the thumbnails", || async {
        let node = product.get(ada, &path).await?.expect(200)?.json()?;
        Ok((node["thumbnails"]["state"] == "ready").then_some(()))
    })
    .await?;
    let thumbnail = format!("{path}/thumbnails/250");
    let answer =
        heard.ask("a thumbnail", product.as_user(ada, Method::GET, &thumbnail)).await?.expect(200)?;
    let tag = answer.header("etag").unwrap_or_default();
    let same = product.as_user(ada, Method::GET, &thumbnail).header("if-none-match", tag);
    heard.ask("the same thumbnail", same).await?;
    heard.ask("head of a thumbnail", product.as_user(ada, Method::HEAD, &thumbnail)).await?;
    let other = product.as_user(ada, Method::GET, &format!("{path}/thumbnails/7"));
    heard.ask("a thumbnail of no size", other).await?;
    Ok(())
}

async fn classic(product: &Product, heard: &mut Heard) -> Result<()> {
    let user = json!({"email": "bob@dylan.com", "password": "toto1234!"});
    heard.ask("classic sign-up", product.request(Method::POST, "/users").json(&user)).await?;
    heard.ask("classic sign-up again", product.request(Method::POST, "/users").json(&user)).await?;
    let basic = || product.request(Method::GET, "/connect").basic_auth("bob@dylan.com", Some("toto1234!"));
    let token = heard.ask("connect", basic()).await?.expect(200)?.json()?;
    let token = token["token"].as_str().unwrap_or_default().to_owned();
    let with = |method: Method, path: &str| product.request(method, path).header("x-token", &token);
    heard.ask("connect without", product.request(Method::GET, "/connect")).await?;
    heard.ask("classic me", with(Method::GET, "/users/me")).await?;
    let file = json!({"name": "hello.txt", "type": "file", "data": "SGVsbG8gV2Vic3RhY2shCg=="});
    let file = heard.ask("classic upload", with(Method::POST, "/files").json(&file)).await?.expect(201)?;
    let file = id(&file.json()?)?;
    heard.ask("classic without a name", with(Method::POST, "/files").json(&json!({"type": "file"}))).await?;
    heard.ask("classic list", with(Method::GET, "/files?page=0")).await?;
    let data = format!("/files/{file}/data");
    heard.ask("classic data of a stranger", product.request(Method::GET, &data)).await?;
    heard.ask("classic publish", with(Method::PUT, &format!("/files/{file}/publish"))).await?;
    heard.ask("classic data in public", product.request(Method::GET, &data)).await?;
    heard.ask("classic range", product.request(Method::GET, &data).header("range", "bytes=0-1")).await?;
    heard
        .ask("classic size of no picture", product.request(Method::GET, &format!("{data}?size=100")))
        .await?;
    heard.ask("disconnect", with(Method::GET, "/disconnect")).await?;
    heard.ask("classic me afterwards", with(Method::GET, "/users/me")).await?;
    Ok(())
}
