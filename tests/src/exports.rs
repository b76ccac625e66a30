//! All that is an account's, for its owner to take along.

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::contents::noise;
use crate::product::{Account, Product, id, send};
use crate::wait::until;

const PATH: &str = "/api/v1/users/me/export";

/// Fills an account; a content that must be in its export.
///
/// # Errors
/// When something is refused.
pub async fn fill(product: &Product, owner: &Account, other: &Account) -> Result<Vec<u8>> {
    let folder = product.make_folder(owner, "root", "Reise").await?;
    let large = noise(700_000, 21);
    let file = id(&product.upload(owner, &folder, "groß.bin", large.clone()).await?)?;
    let change = product.as_user(owner, Method::PATCH, &format!("/api/v1/files/{file}"));
    send(change.json(&json!({ "starred": true, "tags": ["summer"] }))).await?.expect(200)?;
    let share = json!({ "address": other.email, "role": "viewer" });
    product.post(owner, &format!("/api/v1/files/{folder}/shares"), &share).await?.expect(201)?;
    product.upload(other, "root", "not-yours.txt", "not yours").await?;
    Ok(large)
}

/// Asks for an export.
///
/// # Errors
/// When it is refused.
pub async fn ask(product: &Product, owner: &Account) -> Result<Value> {
    product.post(owner, PATH, &json!({ "password": owner.password })).await?.expect(202)?.json()
}

/// Waits until the export of an account is ready, and takes it.
///
/// # Errors
/// When it does not come, or is not what it should be.
pub async fn taken(product: &Product, owner: &Account, other: &Account, large: &[u8]) -> Result<()> {
    let ready = until("the export", || async {
        let shown = product.get(owner, PATH).await?.expect(200)?.json()?;
        ensure!(shown["state"] == "running" || shown["state"] == "ready", "{shown}");
        Ok((shown["state"] == "ready").then_some(shown))
    })
    .await?;
    let url = ready["url"].as_str().context("an address")?;
    let whole = product.get(owner, url).await?.expect(200)?;
    ensure!(ready["sizeBytes"] == whole.body.len(), "{} bytes, and {ready}", whole.body.len());
    let holds = |needle: &[u8]| whole.body.windows(needle.len()).any(|window| window == needle);
    for name in
        ["account/profile.json", "account/audit.json", "account/notifications.json", "files/Reise/", "trash/"]
    {
        ensure!(holds(name.as_bytes()), "{name} is not in it");
    }
    for known in
        [&*owner.email, &*other.email, "account.export_asked", "\"tag\":\"summer\"", "account-export"]
    {
        ensure!(holds(known.as_bytes()), "{known} is not in it");
    }
    ensure!(holds(&large[..4096]) && holds(&large[large.len() - 4096..]), "the file is not in it");
    ensure!(!holds(b"not yours") && !holds(owner.password.as_bytes()), "it has what it must not have");
    let etag = whole.header("etag").context("a tag")?.to_owned();
    // in turn to each replica
    for start in [1, 5000, 600_000, whole.body.len() - 10] {
        let rest = product.as_user(owner, Method::GET, url).header("range", format!("bytes={start}-"));
        let rest = send(rest.header("if-range", &etag)).await?.expect(206)?;
        ensure!(rest.body == whole.body[start..], "from {start}");
    }
    product.get(other, url).await?.expect_problem(404, "not_found")?;
    send(product.request(Method::GET, url)).await?.expect_problem(401, "unauthorized")?;
    until("the news", || async {
        let told = product.get(owner, "/api/v1/notifications").await?.expect(200)?.json()?;
        let items = told["items"].as_array().context("items")?;
        let ready: Vec<_> = items
            .iter()
            .filter(|news| news["kind"] == "export.ready")
            .filter(|news| news["data"]["exportId"].as_str().is_some_and(|id| url.contains(id)))
            .collect();
        ensure!(ready.len() <= 1, "told once: {told}");
        Ok((ready.len() == 1).then_some(()))
    })
    .await
}

/// Whoever proves to be the owner gets all that is theirs, and nobody else does.
pub async fn an_account_is_taken_along(product: &Product) -> Result<()> {
    let (ada, bob) = (product.register("ada").await?, product.register("bob").await?);
    let large = fill(product, &ada, &bob).await?;
    let wrong = product.post(&ada, PATH, &json!({ "password": "wrong" })).await?;
    wrong.expect_problem(403, "wrong_password")?;
    let first = ask(product, &ada).await?;
    ensure!(first["state"] == "running", "{first}");
    taken(product, &ada, &bob, &large).await?;
    // a newer one takes its place
    let before = product.get(&ada, PATH).await?.expect(200)?.json()?;
    ask(product, &ada).await?;
    taken(product, &ada, &bob, &large).await?;
    let url = before["url"].as_str().context("an address")?;
    product.get(&ada, url).await?.expect_problem(404, "not_found")?;
    Ok(())
}
