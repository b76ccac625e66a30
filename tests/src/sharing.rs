//! Shares, links, and what one sees by them.

use anyhow::{Context as _, Result, ensure};
use common::Sha256;
use reqwest::Method;
use serde_json::{Value, json};

use crate::product::{Account, Answer, Product, id, send};
use crate::uploads::{address, append, begin_in, named, offset};
use crate::wait::until;

async fn delete(product: &Product, account: &Account, path: &str) -> Result<Answer> {
    send(product.as_user(account, Method::DELETE, path)).await
}

async fn patch(product: &Product, account: &Account, path: &str, body: Value) -> Result<Answer> {
    send(product.as_user(account, Method::PATCH, path).json(&body)).await
}

/// Gives a right to whoever has this address; its id.
async fn share(product: &Product, owner: &Account, file: &str, with: &Account, role: &str) -> Result<String> {
    let body = json!({"address": with.email, "role": role});
    id(&product.post(owner, &format!("/api/v1/files/{file}/shares"), &body).await?.expect(201)?.json()?)
}

/// Makes a link; it, and its address.
async fn link(product: &Product, owner: &Account, file: &str, body: Value) -> Result<(Value, String)> {
    let made =
        product.post(owner, &format!("/api/v1/files/{file}/links"), &body).await?.expect(201)?.json()?;
    let place = format!("/api/v1/public/{}", made["token"].as_str().context("no token")?);
    Ok((made, place))
}

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().into_iter().flatten().filter_map(|item| item["name"].as_str()).collect()
}

/// A folder is shared by address, worked in with each role, and taken back; its bytes are its owner's.
pub async fn a_folder_is_shared_and_taken_back(product: &Product) -> Result<()> {
    let (ada, bob) = (product.register("ada").await?, product.register("bob").await?);
    let above = product.make_folder(&ada, "root", "Private").await?;
    let top = product.make_folder(&ada, &above, "Shared").await?;
    let file = id(&product.upload(&ada, &top, "a.txt", "first").await?)?;
    let body = json!({"address": "nobody@example.org", "role": "viewer"});
    let unknown = product.post(&ada, &format!("/api/v1/files/{top}/shares"), &body).await?;
    unknown.expect_problem(422, "unknown_person")?;
    product.get(&bob, &format!("/api/v1/files/{top}")).await?.expect_problem(404, "not_found")?;

    let given = share(product, &ada, &top, &bob, "viewer").await?;
    let with_me = product.get(&bob, "/api/v1/shares/with-me").await?.expect(200)?.json()?;
    ensure!(with_me["items"][0]["file"]["name"] == "Shared", "{with_me}");
    ensure!(with_me["items"][0]["share"]["givenBy"]["address"] == ada.email.as_str(), "{with_me}");
    ensure!(product.content(&bob, &file).await? == "first");
    let way = product.get(&bob, &format!("/api/v1/files/{file}/path")).await?.expect(200)?.json()?;
    ensure!(names(&way) == ["Shared", "a.txt"], "{way}");
    product.get(&bob, &format!("/api/v1/files/{above}")).await?.expect_problem(404, "not_found")?;
    product.put(&bob, &top, "b.txt", "mine").await?.expect_problem(403, "forbidden")?;

    let path = format!("/api/v1/shares/{given}");
    patch(product, &ada, &path, json!({"role": "editor"})).await?.expect(200)?;
    let made = product.upload(&bob, &top, "b.txt", "mine").await?;
    ensure!(made["ownerId"] == ada.id.as_str() && made["role"] == "editor", "{made}");
    let usage = product.get(&bob, "/api/v1/usage").await?.expect(200)?.json()?;
    ensure!(usage["usedBytes"] == 0, "{usage}");
    let out = patch(product, &bob, &format!("/api/v1/files/{file}"), json!({"parentId": "root"})).await?;
    out.expect_problem(403, "forbidden")?;
    let body = json!({"address": ada.email, "role": "viewer"});
    let shared = product.post(&bob, &format!("/api/v1/files/{file}/shares"), &body).await?;
    shared.expect_problem(403, "forbidden")?;
    delete(product, &bob, &format!("/api/v1/files/{file}")).await?.expect(204)?;
    product.get(&bob, &format!("/api/v1/files/{file}")).await?.expect_problem(404, "not_found")?;

    let access = product.get(&ada, "/api/v1/access").await?.expect(200)?.json()?;
    // her sign-in is in the list, too
    let kinds = [&access["items"][0]["kind"], &access["items"][1]["kind"]];
    ensure!(access["items"][0]["id"] == given.as_str() && kinds == ["share", "session"], "{access}");
    delete(product, &ada, &format!("/api/v1/access/share/{given}")).await?.expect(204)?;
    product.get(&bob, &format!("/api/v1/files/{top}")).await?.expect_problem(404, "not_found")?;
    Ok(())
}

/// A link shows its folder and nothing beside it, with its password, until it is ended.
pub async fn a_link_opens_its_folder_until_it_is_ended(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let top = product.make_folder(&ada, "root", "Open").await?;
    let large = crate::contents::noise(300_000, 5);
    let file = id(&product.upload(&ada, &top, "a b.bin", large.clone()).await?)?;
    let beside = id(&product.upload(&ada, "root", "beside.txt", "hidden").await?)?;
    let (made, place) = link(product, &ada, &top, json!({"password": "open sesame"})).await?;
    let get = async |rest: &str| send(product.request(Method::GET, &format!("{place}{rest}"))).await;
    let content = format!("/content?id={file}");
    for path in ["", "/children", &content, "/thumbnails/100"] {
        let problem = get(path).await?.expect_problem(401, "link_locked")?;
        ensure!(!problem.to_string().contains("Open"), "{problem}");
    }
    let unlock = |password: &str| {
        product.request(Method::POST, &format!("{place}/unlock")).json(&json!({ "password": password }))
    };
    send(unlock("wrong")).await?.expect_problem(403, "wrong_password")?;
    let unlocked = send(unlock("open sesame")).await?.expect(200)?;
    let cookie = unlocked.header("set-cookie").context("no cookie")?;
    ensure!(cookie.contains(&format!("Path={place}")) && cookie.contains("HttpOnly"), "{cookie}");
    let pair = cookie.split(';').next().unwrap_or_default().to_owned();
    let by_cookie = async |rest: &str| {
        send(product.request(Method::GET, &format!("{place}{rest}")).header("cookie", &pair)).await
    };
    let list = by_cookie("/children").await?.expect(200)?.json()?;
    ensure!(names(&list) == ["a b.bin"], "{list}");
    let whole = by_cookie(&content).await?.expect(200)?;
    ensure!(whole.body == large && whole.header("repr-digest") == Some(&Sha256::of(&large).to_field()));
    let part = product.request(Method::GET, &format!("{place}{content}")).header("cookie", &pair);
    let part = send(part.header("range", "bytes=1000-1999")).await?.expect(206)?;
    ensure!(part.body == large[1000..2000]);
    by_cookie(&format!("/content?id={beside}")).await?.expect_problem(404, "not_found")?;
    by_cookie("/children?id=root").await?.expect_problem(404, "not_found")?;
    delete(product, &ada, &format!("/api/v1/links/{}", id(&made)?)).await?.expect(204)?;
    by_cookie(&content).await?.expect_problem(404, "not_found")?;
    Ok(())
}

/// Who drops gets a receipt and sees nothing; who edits sees what was dropped; previews show no content.
pub async fn what_is_dropped_is_received_and_seen_by_its_owner(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let top = product.make_folder(&ada, "root", "Hand in").await?;
    product.upload(&ada, &top, "essay.txt", "the owner's").await?;
    let (_, drop_place) = link(product, &ada, &top, json!({"role": "dropper"})).await?;
    let essay = crate::contents::noise(100_000, 6);
    let put = product.request(Method::PUT, &format!("{drop_place}/children/essay.txt/content"));
    let receipt = send(put.body(essay.clone())).await?.expect(201)?.json()?;
    ensure!(
        receipt["name"] == "essay.txt" && receipt["size"] == 100_000 && receipt["id"].is_null(),
        "{receipt}"
    );
    ensure!(
        receipt["sha256"] == Sha256::of(&essay).to_string() && receipt["receivedAt"].is_string(),
        "{receipt}"
    );
    for rest in ["/children", "/content"] {
        let refused = send(product.request(Method::GET, &format!("{drop_place}{rest}"))).await?;
        refused.expect_problem(403, "forbidden")?;
    }
    let (_, edit_place) = link(product, &ada, &top, json!({"role": "editor"})).await?;
    let list =
        send(product.request(Method::GET, &format!("{edit_place}/children"))).await?.expect(200)?.json()?;
    ensure!(names(&list) == ["essay (2).txt", "essay.txt"], "{list}");
    let (_, preview_place) = link(product, &ada, &top, json!({"role": "preview-only"})).await?;
    let dropped = id(&list["items"][0])?;
    let refused =
        send(product.request(Method::GET, &format!("{preview_place}/content?id={dropped}"))).await?;
    refused.expect_problem(403, "forbidden")?;
    Ok(())
}

/// Of downloads at the same time, through whatever replica they go, no more pass than the limit says.
pub async fn downloads_by_a_link_keep_to_its_limit(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let content = crate::contents::noise(200_000, 7);
    let file = id(&product.upload(&ada, "root", "limited.bin", content.clone()).await?)?;
    let (made, place) = link(product, &ada, &file, json!({"maxDownloads": 5})).await?;
    let path = format!("{place}/content");
    let downloads = (0..20).map(|_| send(product.request(Method::GET, &path)));
    let (mut passed, mut ticket) = (0, None);
    for answer in futures_util::future::join_all(downloads).await {
        let answer = answer?;
        match answer.status.as_u16() {
            200 => {
                ensure!(answer.body == content);
                passed += 1;
                ticket = answer.header("x-download-ticket").map(str::to_owned);
            }
            410 => drop(answer.expect_problem(410, "link_exhausted")?),
            other => anyhow::bail!("{other}"),
        }
    }
    ensure!(passed == 5, "{passed} of 5 passed");
    // what was counted may be read on
    let rest = product.request(Method::GET, &path).header("x-download-ticket", ticket.context("no ticket")?);
    let rest = send(rest.header("range", "bytes=100000-")).await?.expect(206)?;
    ensure!(rest.body == content[100_000..]);
    let links = product.get(&ada, "/api/v1/links").await?.expect(200)?.json()?;
    ensure!(links["items"][0]["id"] == made["id"] && links["items"][0]["downloads"] == 5, "{links}");
    Ok(())
}

/// What an editor uploads in several goes is the owner's, and an upload that is not at its end when the share ends never is a file.
pub async fn an_editor_uploads_in_several_goes_until_the_share_ends(product: &Product) -> Result<()> {
    let (ada, bob) = (product.register("ada").await?, product.register("bob").await?);
    let top = product.make_folder(&ada, "root", "Shared").await?;
    let content = crate::contents::noise(9_000_000, 8);
    let half = content.len() / 2;
    let given = share(product, &ada, &top, &bob, "viewer").await?;
    begin_in(product, &bob, &top, "film.bin", content.len()).await?.expect_problem(403, "forbidden")?;
    let path = format!("/api/v1/shares/{given}");
    patch(product, &ada, &path, json!({"role": "editor"})).await?.expect(200)?;

    let upload = address(&begin_in(product, &bob, &top, "film.bin", content.len()).await?.expect(201)?)?;
    append(product, &bob, &upload, 0, &content[..half]).await?.expect(204)?;
    let stands = offset(product, &bob, &upload).await?;
    let done = append(product, &bob, &upload, stands, &content[stands..]).await?.expect(204)?;
    let file = done.header("file-id").context("the upload is no file")?.to_owned();
    ensure!(product.content(&ada, &file).await? == content, "other bytes than were sent");
    let shown = product.get(&bob, &format!("/api/v1/files/{file}")).await?.expect(200)?.json()?;
    ensure!(shown["ownerId"] == ada.id.as_str() && shown["role"] == "editor", "{shown}");
    for (who, used) in [(&ada, content.len()), (&bob, 0)] {
        let usage = product.get(who, "/api/v1/usage").await?.expect(200)?.json()?;
        ensure!(usage["usedBytes"] == used, "{usage}");
    }

    let late = address(&begin_in(product, &bob, &top, "late.bin", content.len()).await?.expect(201)?)?;
    append(product, &bob, &late, 0, &content[..half]).await?.expect(204)?;
    delete(product, &ada, &path).await?.expect(204)?;
    // closed, or gone already: both are 404
    append(product, &bob, &late, half, &content[half..]).await?.expect(404)?;
    until("the upload to be ended", || async {
        let list = product.get(&bob, "/api/v1/uploads").await?.expect(200)?.json()?;
        Ok(list["items"].as_array().is_some_and(Vec::is_empty).then_some(()))
    })
    .await?;
    ensure!(product.children(&ada, &top).await?.len() == 1, "what came late is a file");
    Ok(())
}

/// Whoever has a link and nothing else goes on with what they drop, through whatever replica; its owner sees it coming, and it ends with the link.
pub async fn a_large_file_is_dropped_in_several_goes(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let top = product.make_folder(&ada, "root", "Hand in").await?;
    product.upload(&ada, &top, "film.bin", "the owner's").await?;
    let (made, place) = link(product, &ada, &top, json!({"role": "dropper"})).await?;
    let uploads = format!("{place}/uploads");
    let content = crate::contents::noise(9_000_000, 9);
    let tus = |method, path: &str| product.request(method, path).header("tus-resumable", "1.0.0");
    let begin = async || {
        let begun = tus(Method::POST, &uploads).header("upload-length", content.len());
        let begun = send(begun.header("upload-metadata", named("film.bin"))).await?.expect(201)?;
        let location = begun.header("location").context("the new upload has no address")?;
        let id = location.strip_prefix("uploads/").context("its address is not relative")?;
        anyhow::Ok(id.to_owned())
    };
    let append = async |id: &str, offset: usize, bytes: &[u8]| {
        let request = tus(Method::PATCH, &format!("{uploads}/{id}")).header("upload-offset", offset);
        let request = request.header("content-type", "application/offset+octet-stream");
        send(request.body(bytes.to_vec())).await
    };
    let (id, never) = (begin().await?, begin().await?);
    // whoever has one upload by the link does not guess another: nothing of the process is in its id
    ensure!(id[8..18] != never[8..18], "{id} and {never} are of one series");
    append(&id, 0, &content[..5_000_000]).await?.expect(204)?;
    let stands = send(tus(Method::HEAD, &format!("{uploads}/{id}"))).await?.expect(200)?;
    ensure!(stands.header("upload-offset") == Some("5000000"), "what was told is there");
    let done = append(&id, 5_000_000, &content[5_000_000..]).await?.expect(204)?;
    ensure!(done.header("file-id").is_none(), "who drops sees no file");
    let shown = send(product.request(Method::GET, &format!("{uploads}/{id}"))).await?.expect(200)?.json()?;
    let receipt = &shown["receipt"];
    ensure!(
        receipt["name"] == "film.bin" && receipt["size"] == content.len() && receipt["id"].is_null(),
        "{shown}"
    );
    ensure!(receipt["sha256"] == Sha256::of(&content).to_string(), "{shown}");
    let list = product.get(&ada, &format!("/api/v1/files/{top}/children")).await?.expect(200)?.json()?;
    ensure!(names(&list) == ["film (2).bin", "film.bin"], "{list}");
    ensure!(
        product.content(&ada, &self::id(&list["items"][0])?).await? == content,
        "other bytes than were sent"
    );

    append(&never, 0, &content[..5_000_000]).await?.expect(204)?;
    let access = product.get(&ada, "/api/v1/access").await?.expect(200)?.json()?;
    let coming = access["items"].as_array().into_iter().flatten().find(|item| item["kind"] == "upload");
    let coming = coming.context("the owner does not see what comes")?;
    ensure!(coming["id"] == never.as_str() && coming["linkId"] == made["id"], "{coming}");
    let other = link(product, &ada, &top, json!({"role": "editor"})).await?.1;
    let elsewhere = format!("{other}/uploads/{never}");
    send(tus(Method::HEAD, &elsewhere)).await?.expect(404)?;
    product.get(&ada, &format!("/api/v1/uploads/{never}")).await?.expect_problem(404, "not_found")?;
    delete(product, &ada, &format!("/api/v1/links/{}", self::id(&made)?)).await?.expect(204)?;
    append(&never, 5_000_000, &content[5_000_000..]).await?.expect_problem(404, "not_found")?;
    until("the upload to be ended", || async {
        let access = product.get(&ada, "/api/v1/access").await?.expect(200)?.json()?;
        let mut items = access["items"].as_array().into_iter().flatten();
        Ok(items.all(|item| item["kind"] != "upload").then_some(()))
    })
    .await?;
    Ok(())
}
