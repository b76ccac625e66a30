//! What API tokens are good for: what they open to others, and tokens that are limited to a folder.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use common::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::product::{Account, Product, id, send};

/// Where an account's API tokens are.
pub const TOKENS: &str = "/api/v1/users/me/tokens";

/// Makes an API token; its id and its text.
///
/// # Errors
/// When it is refused.
pub async fn token(product: &Product, account: &Account, body: &Value) -> Result<(String, String)> {
    let mut body = body.clone();
    body["password"] = json!(account.password);
    let made = product.post(account, TOKENS, &body).await?.expect(201)?.json()?;
    let text = made["token"].as_str().context("the text of the token")?.to_owned();
    Ok((id(&made)?, text))
}

/// Each credential that is ended in the list of all that opens one's files leaves one line in the audit log: by which session or token, and from where.
pub async fn what_is_ended_in_the_list_stands_in_the_audit_log(product: &Product) -> Result<()> {
    let admin = product.set_up().await?;
    let ada = product.register("ada").await?;
    let other = product.login(&ada.email, &ada.password).await?;
    let session_of = async |account: &Account| -> Result<String> {
        let list = product.get(account, "/api/v1/users/me/sessions").await?.expect(200)?.json()?;
        let own = list["items"].as_array().into_iter().flatten().find(|one| one["current"] == true);
        id(own.context("no session of one's own")?)
    };
    let (mine, theirs) = (session_of(&ada).await?, session_of(&other).await?);
    let (made, _) = token(product, &ada, &json!({"name": "reader", "scopes": ["files:read"]})).await?;
    let body = json!({"name": "keeper", "scopes": ["shares", "account"]});
    let (keeper, text) = token(product, &ada, &body).await?;
    let program = Account { token: text, ..ada.clone() };
    let end = async |by: &Account, path: String| -> Result<()> {
        send(product.as_user(by, Method::DELETE, &path)).await?.expect(204).map(drop)
    };
    end(&ada, format!("/api/v1/access/token/{made}")).await?;
    end(&program, format!("/api/v1/access/session/{theirs}")).await?;
    product.get(&other, "/api/v1/users/me").await?.expect_problem(401, "unauthorized")?;
    for (action, target, session, token) in
        [("token.revoked", &made, Some(&mine), None), ("session.ended", &theirs, None, Some(&keeper))]
    {
        let path = format!("/api/v1/admin/audit?actor={}&action={action}", ada.id);
        let log = product.get(&admin, &path).await?.expect(200)?.json()?;
        let lines = log["items"].as_array().context("no lines")?;
        ensure!(lines.len() == 1, "{action}: {log}");
        let by = (&lines[0]["sessionId"], &lines[0]["tokenId"]);
        ensure!(by == (&json!(session), &json!(token)), "{action}: {log}");
        ensure!(lines[0]["target"] == target.as_str() && lines[0]["address"].is_string(), "{action}: {log}");
    }
    Ok(())
}

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
