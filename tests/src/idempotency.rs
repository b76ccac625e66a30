//! Requests that are sent again under a key.

use anyhow::{Result, ensure};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::product::{Account, Answer, Product, id, send};

async fn post(product: &Product, account: &Account, path: &str, key: &str, body: &Value) -> Result<Answer> {
    send(product.as_user(account, Method::POST, path).header("Idempotency-Key", key).json(body)).await
}

fn is_replay(answer: &Answer) -> bool {
    answer.header("idempotent-replayed") == Some("true")
}

/// The first answer, once more, to the same request.
async fn twice(product: &Product, account: &Account, path: &str, body: &Value, status: u16) -> Result<Value> {
    let key = format!("\"twice {path}\"").replace(' ', "-");
    let first = post(product, account, path, &key, body).await?.expect(status)?;
    ensure!(!is_replay(&first), "{path}: the key was used before");
    let again = post(product, account, path, &key, body).await?.expect(status)?;
    ensure!(is_replay(&again) && again.body == first.body, "{path}: {again:?}");
    for field in ["location", "etag", "operation-id"] {
        ensure!(again.header(field) == first.header(field), "{path}: {field}");
    }
    first.json()
}

/// In each service: one thing is made, and its answer, secrets included, is given again to whoever had it, and to nobody else.
pub async fn what_is_sent_again_is_done_once(product: &Product) -> Result<()> {
    let admin = product.set_up().await?;
    let ada = product.register("ada").await?;
    let folder = twice(product, &ada, "/api/v1/files", &json!({"name": "once"}), 201).await?;
    ensure!(product.children(&ada, "root").await?.len() == 1);
    let copies = format!("/api/v1/files/{}/copy", id(&folder)?);
    twice(product, &ada, &copies, &json!({"name": "copy"}), 201).await?;
    ensure!(product.children(&ada, "root").await?.len() == 2);
    let batch = json!({"operations": [{"op": "copy", "id": id(&folder)?, "name": "by batch"}]});
    twice(product, &ada, "/api/v1/files/batch", &batch, 200).await?;
    ensure!(product.children(&ada, "root").await?.len() == 3);
    let put = async |key: &str, content: &'static str| {
        let path = "/api/v1/files/root/children/a.txt/content?onConflict=rename";
        let request = product.as_user(&ada, Method::PUT, path).header("Idempotency-Key", key);
        send(request.body(content)).await
    };
    let first = put("upload", "text").await?.expect(201)?;
    let again = put("upload", "text").await?.expect(201)?;
    ensure!(!is_replay(&first) && is_replay(&again) && again.body == first.body, "{again:?}");
    ensure!(again.header("location") == first.header("location"));
    ensure!(product.children(&ada, "root").await?.len() == 4);
    put("upload", "texts").await?.expect_problem(422, "idempotency_key_reused")?;
    ensure!(put("another", "text").await?.expect(201)?.json()?["name"] == "a (2).txt");
    let token = json!({"name": "script", "scopes": ["files:write", "files:read"], "password": ada.password});
    let token = twice(product, &ada, "/api/v1/users/me/tokens", &token, 201).await?;
    let tokens = product.get(&ada, "/api/v1/users/me/tokens").await?.expect(200)?.json()?;
    ensure!(tokens["items"].as_array().map(Vec::len) == Some(1), "{tokens}");
    let job = json!({"type": "custom", "data": {}});
    let job = twice(product, &admin, "/api/v1/jobs", &job, 201).await?;
    ensure!(job["id"].is_string());
    let jobs = product.get(&admin, "/api/v1/jobs?type=custom").await?.expect(200)?.json()?;
    ensure!(jobs["items"].as_array().map(Vec::len) == Some(1), "{jobs}");
    // a claim that is given again would be one of jobs that others work by then
    let claim = json!({"types": ["custom"], "workerId": "w"});
    let results = json!({"results": [{"id": id(&job)?, "lease": "none"}], "claim": claim});
    let claimed = post(product, &admin, "/api/v1/jobs/results", "k", &results).await?;
    claimed.expect_problem(400, "invalid_idempotency_key")?;

    let body = json!({"name": "of one"});
    post(product, &ada, "/api/v1/files", "k", &body).await?.expect(201)?;
    let other = post(product, &ada, "/api/v1/files", "k", &json!({"name": "of another"})).await?;
    other.expect_problem(422, "idempotency_key_reused")?;
    // a token has keys of its own: what its owner was answered is none of its business
    let by_token = product
        .request(Method::POST, "/api/v1/files")
        .bearer_auth(token["token"].as_str().unwrap_or_default());
    let by_token = send(by_token.header("Idempotency-Key", "k").json(&body)).await?;
    by_token.expect_problem(409, "name_taken")?;
    let bob = product.register("bob").await?;
    ensure!(!is_replay(&post(product, &bob, "/api/v1/files", "k", &body).await?.expect(201)?));
    Ok(())
}

/// Whichever replicas they reach.
pub async fn requests_with_one_key_make_one_thing(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let body = json!({"name": "one"});
    let all = join_all((0..6).map(|_| post(product, &ada, "/api/v1/files", "k", &body))).await;
    let mut made = 0;
    for answer in all {
        let answer = answer?;
        match answer.status.as_u16() {
            201 => made += u32::from(!is_replay(&answer)),
            _ => drop(answer.expect_problem(409, "request_under_way")?),
        }
    }
    ensure!(made == 1, "{made} were carried out");
    ensure!(is_replay(&post(product, &ada, "/api/v1/files", "k", &body).await?.expect(201)?));
    ensure!(product.children(&ada, "root").await?.len() == 1);
    let upload = product.as_user(&ada, Method::POST, "/api/v1/uploads").header("Idempotency-Key", "k");
    send(upload).await?.expect_problem(400, "invalid_idempotency_key")?;
    Ok(())
}
