//! Uploads that come in several goes, by tus and by the draft of the IETF.

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::Sha256;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::contents::noise;
use crate::product::{Account, Answer, Product, id, send};
use crate::wait::until;

const UPLOADS: &str = "/api/v1/uploads";

/// A request that speaks tus.
pub fn tus(product: &Product, account: &Account, method: Method, path: &str) -> RequestBuilder {
    product.as_user(account, method, path).header("tus-resumable", "1.0.0")
}

/// `Upload-Metadata` that names a file.
pub fn named(name: &str) -> String {
    format!("filename {}", STANDARD.encode(name))
}

/// The address of an upload that was begun.
///
/// # Errors
/// When the answer names none.
pub fn address(made: &Answer) -> Result<String> {
    let location = made.header("location").context("the new upload has no address")?;
    ensure!(location.starts_with("uploads/"), "{location} is not relative to the request's address");
    Ok(format!("/api/v1/{location}"))
}

/// Begins an upload; its address.
///
/// # Errors
/// When it is refused.
pub async fn begin(product: &Product, account: &Account, name: &str, length: usize) -> Result<String> {
    let made = tus(product, account, Method::POST, UPLOADS)
        .header("upload-length", length)
        .header("upload-metadata", named(name));
    address(&send(made).await?.expect(201)?)
}

/// Begins an upload into a folder; the answer.
///
/// # Errors
/// When there is none.
pub async fn begin_in(
    product: &Product,
    account: &Account,
    folder: &str,
    name: &str,
    length: usize,
) -> Result<Answer> {
    let metadata = format!("{},folder {}", named(name), STANDARD.encode(folder));
    let made = tus(product, account, Method::POST, UPLOADS).header("upload-length", length);
    send(made.header("upload-metadata", metadata)).await
}

/// Appends bytes.
///
/// # Errors
/// When there is no answer.
pub async fn append(
    product: &Product,
    account: &Account,
    upload: &str,
    offset: usize,
    bytes: &[u8],
) -> Result<Answer> {
    let request = tus(product, account, Method::PATCH, upload)
        .header("upload-offset", offset)
        .header("content-type", "application/offset+octet-stream");
    send(request.body(bytes.to_vec())).await
}

/// Where an upload stands.
///
/// # Errors
/// When it is not told.
pub async fn offset(product: &Product, account: &Account, upload: &str) -> Result<usize> {
    let stands = send(tus(product, account, Method::HEAD, upload)).await?.expect(200)?;
    ensure!(stands.header("cache-control") == Some("no-store"), "who asks must get no old answer");
    Ok(stands.header("upload-offset").context("no offset")?.parse()?)
}

fn file_of(answer: &Answer) -> Result<String> {
    Ok(answer.header("file-id").context("the upload is no file")?.to_owned())
}

/// A connection that ends in the middle of a request costs at most what was on its way.
pub async fn an_upload_goes_on_where_it_stood(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let content = noise(12_000_000, 1);
    let upload = begin(product, &ada, "large.bin", content.len()).await?;
    append(product, &ada, &upload, 0, &content[..1_000_000]).await?.expect(204)?;
    let host = product.address.strip_prefix("http://").context("the product speaks http")?;
    let head = format!(
        "PATCH {upload} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 1000000\r\n\
         Content-Type: application/offset+octet-stream\r\nContent-Length: {}\r\n\r\n",
        ada.token,
        content.len() - 1_000_000
    );
    let mut stream = tokio::net::TcpStream::connect(host).await?;
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&content[1_000_000..7_000_000]).await?;
    stream.flush().await?;
    // it is not closed: whoever asks next makes the request leave that is still there
    let stands = until("what came before to be kept", || async {
        let stands = offset(product, &ada, &upload).await?;
        Ok((stands > 1_000_000).then_some(stands))
    })
    .await?;
    ensure!(stands <= 7_000_000, "more than was sent: {stands}");
    drop(stream);
    append(product, &ada, &upload, 0, b"x").await?.expect_problem(409, "upload_offset")?;
    let done = append(product, &ada, &upload, stands, &content[stands..]).await?.expect(204)?;
    let file = file_of(&done)?;
    ensure!(product.content(&ada, &file).await? == content, "other bytes than were sent");
    let node = product.get(&ada, &format!("/api/v1/files/{file}")).await?.expect(200)?.json()?;
    ensure!(node["sha256"] == Sha256::of(&content).to_string() && node["name"] == "large.bin", "{node}");
    ensure!(product.children(&ada, "root").await?.len() == 1, "one upload, one file");
    let again = append(product, &ada, &upload, content.len(), b"").await?.expect(204)?;
    ensure!(file_of(&again)? == file, "asking again makes nothing new");
    let eve = product.register("eve").await?;
    send(tus(product, &eve, Method::HEAD, &upload)).await?.expect(404)?;
    append(product, &eve, &upload, 0, b"x").await?.expect_problem(404, "not_found")?;
    Ok(())
}

/// An upload takes longer than a token lasts: the one that comes after it, of the same session or of another, goes on.
pub async fn c067_an_upload_goes_on_with_another_token(product: &Product) -> Result<()> {
    product.register("ada").await?;
    let body = json!({"email": "ada@example.org", "password": "password of ada"});
    let login = send(product.request(Method::POST, "/api/v1/auth/login").json(&body)).await?;
    let login = login.expect(200)?.json()?;
    let first = of_tokens(product, &login).await?;
    let content = noise(9_000_000, 6);
    let upload = begin(product, &first, "long.bin", content.len()).await?;
    append(product, &first, &upload, 0, &content[..3_000_000]).await?.expect(204)?;

    // tokens of one session and one second are alike
    let mut known = login["refreshToken"].clone();
    let next = loop {
        let refresh = json!({ "refreshToken": known });
        let answer = send(product.request(Method::POST, "/api/v1/auth/refresh").json(&refresh)).await?;
        let answer = answer.expect(200)?.json()?;
        let next = of_tokens(product, &answer).await?;
        if next.token != first.token {
            break next;
        }
        known = answer["refreshToken"].clone();
    };
    ensure!(offset(product, &next, &upload).await? == 3_000_000, "the next token does not see it");
    append(product, &next, &upload, 3_000_000, &content[3_000_000..6_000_000]).await?.expect(204)?;

    send(product.as_user(&next, Method::POST, "/api/v1/auth/logout")).await?.expect(204)?;
    for ended in [&first, &next] {
        append(product, ended, &upload, 6_000_000, b"x").await?.expect_problem(401, "unauthorized")?;
    }
    let eve = product.register("eve").await?;
    append(product, &eve, &upload, 6_000_000, b"x").await?.expect_problem(404, "not_found")?;
    let again = product.login("ada@example.org", "password of ada").await?;
    ensure!(offset(product, &again, &upload).await? == 6_000_000, "what was refused has counted");
    let done = append(product, &again, &upload, 6_000_000, &content[6_000_000..]).await?.expect(204)?;
    ensure!(product.content(&again, &file_of(&done)?).await? == content, "other bytes than were sent");
    Ok(())
}

/// Whose session it is that an answer with tokens begins or goes on with.
async fn of_tokens(product: &Product, answer: &Value) -> Result<Account> {
    let token = answer["accessToken"].as_str().context("no token")?.to_owned();
    let me = send(product.request(Method::GET, "/api/v1/users/me").bearer_auth(&token)).await?;
    let me = me.expect(200)?.json()?;
    let email = me["email"].as_str().context("no address")?.to_owned();
    Ok(Account { email, password: "password of ada".to_owned(), token, id: id(&me)? })
}

/// Parts that are sent at the same time become one file.
pub async fn parts_are_put_together(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let content = noise(15_000_001, 2);
    let mut parts = Vec::new();
    for part in content.chunks(5_000_000) {
        let made = tus(product, &ada, Method::POST, UPLOADS)
            .header("upload-length", part.len())
            .header("upload-concat", "partial");
        parts.push((address(&send(made).await?.expect(201)?)?, part));
    }
    let sent = parts.iter().map(|(upload, part)| append(product, &ada, upload, 0, part));
    for answer in futures_util::future::try_join_all(sent).await? {
        answer.expect(204)?;
    }
    ensure!(product.children(&ada, "root").await?.is_empty(), "parts are no files");
    let list: Vec<_> = parts.iter().map(|(upload, _)| format!("{}{upload}", product.address)).collect();
    let made = tus(product, &ada, Method::POST, UPLOADS)
        .header("upload-concat", format!("final;{}", list.join(" ")))
        .header("upload-metadata", named("whole.bin"));
    let whole = address(&send(made).await?.expect(201)?)?;
    let file = until("the parts to be put together", || async {
        let stands = send(tus(product, &ada, Method::HEAD, &whole)).await?.expect(200)?;
        Ok(stands.header("file-id").map(str::to_owned))
    })
    .await?;
    ensure!(product.content(&ada, &file).await? == content, "other bytes than were sent");
    let usage = product.get(&ada, "/api/v1/usage").await?.expect(200)?.json()?;
    ensure!(usage["usedBytes"] == content.len(), "parts count no more: {usage}");
    Ok(())
}

/// What does not match its checksum does not count.
pub async fn a_wrong_checksum_counts_nothing(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let content = noise(9_000_000, 3);
    let upload = begin(product, &ada, "checked.bin", content.len()).await?;
    for (digest, status) in [(Sha256::of(b"x"), 460), (Sha256::of(&content), 204)] {
        ensure!(offset(product, &ada, &upload).await? == 0, "what was not right has counted");
        let request = tus(product, &ada, Method::PATCH, &upload)
            .header("upload-offset", 0)
            .header("upload-checksum", format!("sha256 {}", STANDARD.encode(digest.0)))
            .header("content-type", "application/offset+octet-stream");
        let answer = send(request.body(content.clone())).await?.expect(status)?;
        if status == 204 {
            ensure!(
                product.content(&ada, &file_of(&answer)?).await? == content,
                "other bytes than were sent"
            );
        }
    }
    Ok(())
}

/// The draft of the IETF speaks of the same uploads, and no interim answer hangs anybody.
pub async fn the_draft_goes_on_with_the_same_uploads(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let content = noise(300_000, 4);
    let made = product
        .as_user(&ada, Method::POST, &format!("{UPLOADS}?name=draft.bin"))
        .header("upload-draft-interop-version", "8")
        .header("upload-complete", "?0");
    let made = send(made.body(content[..100_000].to_vec())).await?.expect(201)?;
    ensure!(made.header("upload-complete") == Some("?0"), "more is to come");
    let upload = address(&made)?;
    ensure!(offset(product, &ada, &upload).await? == 100_000, "tus knows of it");
    append(product, &ada, &upload, 100_000, &content[100_000..200_000]).await?.expect(204)?;
    let stands = send(product.as_user(&ada, Method::HEAD, &upload)).await?.expect(204)?;
    ensure!(stands.header("upload-offset") == Some("200000"), "it knows what tus has brought");
    let rest = product
        .as_user(&ada, Method::PATCH, &upload)
        .header("content-type", "application/partial-upload")
        .header("upload-draft-interop-version", "8")
        .header("upload-offset", 200_000)
        .header("upload-complete", "?1");
    let file = send(rest.body(content[200_000..].to_vec())).await?.expect(201)?.json()?;
    ensure!(product.content(&ada, &id(&file)?).await? == content, "other bytes than were sent");
    Ok(())
}

/// An upload that is ended leaves nothing, and its owner sees what is unfinished.
pub async fn unfinished_uploads_are_listed_and_ended(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let content = noise(9_000_000, 5);
    let upload = begin(product, &ada, "never.bin", content.len()).await?;
    append(product, &ada, &upload, 0, &content[..8_500_000]).await?.expect(204)?;
    let list = product.get(&ada, UPLOADS).await?.expect(200)?.json()?;
    let listed = &list["items"][0];
    ensure!(
        listed["name"] == "never.bin" && listed["offset"] == 8_500_000 && listed["state"] == "open",
        "{list}"
    );
    send(product.as_user(&ada, Method::DELETE, &upload)).await?.expect(204)?;
    product.get(&ada, &upload).await?.expect_problem(404, "not_found")?;
    let list = product.get(&ada, UPLOADS).await?.expect(200)?.json()?;
    ensure!(list["items"].as_array().is_some_and(Vec::is_empty), "{list}");
    let options = send(product.request(Method::OPTIONS, UPLOADS)).await?.expect(204)?;
    ensure!(options.header("tus-version") == Some("1.0.0"), "what is spoken is told to everybody");
    Ok(())
}
