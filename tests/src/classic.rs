//! The classic API, as the programs written against it speak.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::product::{Answer, Product, send};
use crate::samples::picture;
use crate::wait::until;

async fn connect(product: &Product, email: &str, password: &str) -> Result<Answer> {
    send(product.request(Method::GET, "/connect").basic_auth(email, Some(password))).await
}

async fn sign_up(product: &Product, email: &str, password: &str) -> Result<String> {
    let body = json!({"email": email, "password": password});
    let user = send(product.request(Method::POST, "/users").json(&body)).await?.expect(201)?.json()?;
    ensure!(keys(&user) == ["email", "id"], "{user}");
    let token = connect(product, email, password).await?.expect(200)?.json()?;
    ensure!(keys(&token) == ["token"], "{token}");
    Ok(token["token"].as_str().context("no token")?.to_owned())
}

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .map(|object| object.keys().map(String::as_str).collect::<BTreeSet<_>>())
        .unwrap_or_default()
        .into_iter()
        .collect()
}

struct Client<'a> {
    product: &'a Product,
    token: String,
}

impl Client<'_> {
    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        let mut request = self.product.request(method, path).header("X-Token", &self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        send(request).await
    }

    async fn refused(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        status: u16,
        message: &str,
    ) -> Result<()> {
        let answer = self.call(method.clone(), path, body).await?.expect(status)?;
        ensure!(
            answer.json()? == json!({"error": message}),
            "{method} {path}: {}",
            String::from_utf8_lossy(&answer.body)
        );
        ensure!(answer.header("content-type").is_some_and(|kind| kind.starts_with("application/json")));
        Ok(())
    }

    async fn upload(&self, body: &Value) -> Result<Value> {
        let file = self.call(Method::POST, "/files", Some(body)).await?.expect(201)?.json()?;
        ensure!(keys(&file) == ["id", "isPublic", "name", "parentId", "type", "userId"], "{file}");
        Ok(file)
    }
}

/// The first screen of every suite: status, statistics, sign-up, connect, disconnect.
pub async fn users_sign_up_connect_and_disconnect(product: &Product) -> Result<()> {
    let get = |path: &str| send(product.request(Method::GET, path));
    ensure!(get("/status").await?.expect(200)?.json()? == json!({"redis": true, "db": true}));
    ensure!(get("/stats").await?.expect(200)?.json()? == json!({"users": 0, "files": 0}));

    for (body, message) in [
        (json!({}), "Missing email"),
        (json!({"password": "x"}), "Missing email"),
        (json!({"email": "bob@dylan.com"}), "Missing password"),
    ] {
        let answer = send(product.request(Method::POST, "/users").json(&body)).await?.expect(400)?;
        ensure!(answer.json()? == json!({"error": message}));
    }
    let token = sign_up(product, "bob@dylan.com", "toto:1234!").await?;
    let taken = json!({"email": "Bob@Dylan.com", "password": "x"});
    let answer = send(product.request(Method::POST, "/users").json(&taken)).await?.expect(400)?;
    ensure!(answer.json()? == json!({"error": "Already exist"}));

    let client = Client { product, token };
    let me = client.call(Method::GET, "/users/me", None).await?.expect(200)?.json()?;
    ensure!(keys(&me) == ["email", "id"] && me["email"] == "bob@dylan.com", "{me}");
    for (email, password) in [("bob@dylan.com", "wrong"), ("nobody@dylan.com", "toto:1234!")] {
        let answer = connect(product, email, password).await?.expect(401)?;
        ensure!(answer.json()? == json!({"error": "Unauthorized"}));
    }
    for header in ["Basic", "Basic !!!", "Bearer x", "Basic bm9jb2xvbg=="] {
        let answer = send(product.request(Method::GET, "/connect").header("authorization", header))
            .await?
            .expect(401)?;
        ensure!(answer.json()? == json!({"error": "Unauthorized"}), "{header}");
    }
    let gone = client.call(Method::GET, "/disconnect", None).await?.expect(204)?;
    ensure!(
        gone.body.is_empty()
            && gone.header("content-type").is_none()
            && gone.header("content-length").is_none()
    );
    client.refused(Method::GET, "/disconnect", None, 401, "Unauthorized").await?;
    client.refused(Method::GET, "/users/me", None, 401, "Unauthorized").await?;
    ensure!(get("/stats").await?.expect(200)?.json()? == json!({"users": 1, "files": 0}));
    Ok(())
}

/// Upload, show, list, publish, read.
pub async fn files_are_uploaded_listed_published_and_read(product: &Product) -> Result<()> {
    let client = Client { product, token: sign_up(product, "bob@dylan.com", "toto1234!").await? };
    let data = STANDARD.encode("Hello Webstack!\n");
    for (body, message) in [
        (json!({}), "Missing name"),
        (json!({"name": "f"}), "Missing type"),
        (json!({"name": "f", "type": "video"}), "Missing type"),
        (json!({"name": "f", "type": "file"}), "Missing data"),
        (json!({"name": "f", "type": "file", "data": data, "parentId": "nonsense"}), "Parent not found"),
        (json!({"name": "f", "type": "file", "data": data, "parentId": 55}), "Parent not found"),
    ] {
        client.refused(Method::POST, "/files", Some(&body), 400, message).await?;
    }
    let file = client.upload(&json!({"name": "myText.txt", "type": "file", "data": data})).await?;
    ensure!(file["parentId"] == 0 && file["isPublic"] == false && file["type"] == "file", "{file}");
    let under = json!({"name": "x", "type": "folder", "parentId": file["id"]});
    client.refused(Method::POST, "/files", Some(&under), 400, "Parent is not a folder").await?;
    let folder = client.upload(&json!({"name": "images", "type": "folder"})).await?;
    let inside = client
        .upload(&json!({"name": "in.txt", "type": "file", "data": data, "parentId": folder["id"]}))
        .await?;
    ensure!(inside["parentId"] == folder["id"], "{inside}");
    let twin = client.upload(&json!({"name": "myText.txt", "type": "file", "data": data})).await?;
    ensure!(twin["name"] == "myText.txt" && twin["id"] != file["id"], "names need not be unique: {twin}");

    let list = client.call(Method::GET, "/files", None).await?.expect(200)?.json()?;
    ensure!(list == json!([twin, folder, file]), "newest first: {list}");
    let parent = folder["id"].as_str().unwrap_or_default();
    let list =
        client.call(Method::GET, &format!("/files?parentId={parent}"), None).await?.expect(200)?.json()?;
    ensure!(list == json!([inside]), "{list}");
    for query in ["?parentId=nonsense", "?page=7", "?parentId=5f1e8896c7ba06511e683b25"] {
        ensure!(
            client.call(Method::GET, &format!("/files{query}"), None).await?.expect(200)?.json()?
                == json!([]),
            "{query}"
        );
    }

    let path = format!("/files/{}", file["id"].as_str().unwrap_or_default());
    ensure!(client.call(Method::GET, &path, None).await?.expect(200)?.json()? == file);
    let anonymous = || send(product.request(Method::GET, &format!("{path}/data")));
    ensure!(anonymous().await?.expect(404)?.json()? == json!({"error": "Not found"}));
    let published = client.call(Method::PUT, &format!("{path}/publish"), None).await?.expect(200)?.json()?;
    ensure!(published["isPublic"] == true, "{published}");
    let read = anonymous().await?.expect(200)?;
    ensure!(
        read.body == "Hello Webstack!\n" && read.header("content-type") == Some("text/plain; charset=utf-8")
    );
    client.call(Method::PUT, &format!("{path}/unpublish"), None).await?.expect(200)?;
    anonymous().await?.expect(404)?;
    client
        .refused(Method::GET, &format!("/files/{parent}/data"), None, 400, "A folder doesn't have content")
        .await?;
    client.refused(Method::GET, "/files/nonsense", None, 404, "Not found").await?;
    ensure!(
        send(product.request(Method::GET, "/files/nonsense")).await?.expect(401)?.json()?
            == json!({"error": "Unauthorized"})
    );

    client.call(Method::DELETE, &path, None).await?.expect(204)?;
    client.refused(Method::GET, &path, None, 404, "Not found").await?;
    Ok(())
}

/// Pages of twenty, with no item twice or left out.
pub async fn lists_come_in_pages_of_twenty(product: &Product) -> Result<()> {
    let client = Client { product, token: sign_up(product, "bob@dylan.com", "toto1234!").await? };
    let mut made = Vec::new();
    for n in 0..45 {
        made.push(client.upload(&json!({"name": format!("{n}"), "type": "folder"})).await?);
    }
    let mut seen = Vec::new();
    for (page, expected) in [(0, 20), (1, 20), (2, 5), (3, 0)] {
        let list =
            client.call(Method::GET, &format!("/files?page={page}"), None).await?.expect(200)?.json()?;
        let items = list.as_array().context("no array")?;
        ensure!(items.len() == expected, "page {page}: {}", items.len());
        seen.extend(items.iter().cloned());
    }
    // newest first by their ids, which ascend from second to second and, where one process made them, within
    let by_id = |item: &Value| item["id"].as_str().unwrap_or_default().to_owned();
    made.sort_by_key(|item| std::cmp::Reverse(by_id(item)));
    ensure!(seen == made, "{seen:?}");
    for query in ["page=-1", "page=", "page=x"] {
        let list = client.call(Method::GET, &format!("/files?{query}"), None).await?.expect(200)?.json()?;
        ensure!(list.as_array().is_some_and(|items| items[..] == seen[..20]), "{query} is page 0");
    }
    Ok(())
}

/// An image gets its three widths; other sizes and other files have none.
pub async fn images_get_thumbnails(product: &Product) -> Result<()> {
    let client = Client { product, token: sign_up(product, "bob@dylan.com", "toto1234!").await? };
    let image = picture(800, 600, "png")?;
    let body = json!({"name": "image.png", "type": "image", "data": STANDARD.encode(&image)});
    let file = client.upload(&body).await?;
    ensure!(file["type"] == "image", "{file}");
    let path = format!("/files/{}/data", file["id"].as_str().unwrap_or_default());
    for width in [100, 250, 500] {
        let sized = format!("{path}?size={width}");
        let thumbnail = until("the thumbnail", || async {
            let answer = client.call(Method::GET, &sized, None).await?;
            Ok((answer.status.as_u16() == 200).then_some(answer))
        })
        .await?;
        ensure!(thumbnail.header("content-type") == Some("image/png"));
        let decoded = image::load_from_memory(&thumbnail.body)?;
        ensure!(decoded.width() == width && decoded.height().abs_diff(width * 3 / 4) <= 1);
    }
    for size in ["300", "abc", "0", "1280"] {
        client.refused(Method::GET, &format!("{path}?size={size}"), None, 404, "Not found").await?;
    }
    ensure!(client.call(Method::GET, &format!("{path}?size="), None).await?.expect(200)?.body == image);
    Ok(())
}

/// What the original let through or died of.
pub async fn what_broke_the_original_is_refused(product: &Product) -> Result<()> {
    let client = Client { product, token: sign_up(product, "bob@dylan.com", "toto1234!").await? };
    let eve = Client { product, token: sign_up(product, "eve@dylan.com", "toto1234!").await? };
    let raw = |body: &'static str| {
        send(
            product
                .request(Method::POST, "/files")
                .header("X-Token", &client.token)
                .header("content-type", "application/json")
                .body(body),
        )
    };
    for body in ["{", "[]", "\"x\"", "{\"name\": \"\\ud800\", \"type\": \"folder\"}"] {
        let answer = raw(body).await?.expect(400)?;
        ensure!(keys(&answer.json()?) == ["error"], "{body}");
    }
    for body in [
        json!({"name": {"$gt": ""}, "type": "folder"}),
        json!({"name": "a/b", "type": "folder"}),
        json!({"name": "..", "type": "folder"}),
        json!({"name": "x".repeat(256), "type": "folder"}),
        json!({"name": "x", "type": "file", "data": "%%%%"}),
        json!({"name": "x", "type": "file", "data": ["x"]}),
    ] {
        let answer = client.call(Method::POST, "/files", Some(&body)).await?.expect(400)?;
        ensure!(keys(&answer.json()?) == ["error"], "{body}");
    }
    let folder = client.upload(&json!({"name": "mine", "type": "folder"})).await?;
    let into = json!({"name": "x", "type": "folder", "parentId": folder["id"]});
    eve.refused(Method::POST, "/files", Some(&into), 400, "Parent not found").await?;
    let path = format!("/files/{}", folder["id"].as_str().unwrap_or_default());
    eve.refused(Method::GET, &path, None, 404, "Not found").await?;
    eve.refused(Method::PUT, &format!("{path}/publish"), None, 404, "Not found").await?;
    let unpadded = client.upload(&json!({"name": "n", "type": "file", "data": " SGVs\nbG8"})).await?;
    let path = format!("/files/{}/data", unpadded["id"].as_str().unwrap_or_default());
    ensure!(client.call(Method::GET, &path, None).await?.expect(200)?.body == "Hello");
    Ok(())
}
