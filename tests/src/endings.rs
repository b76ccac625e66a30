//! The end of an account, and what becomes of all that was its.

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::json;

use crate::product::{Account, Product, id, send};
use crate::wait::until;

/// What somebody has, and how others reach it.
pub struct Belongings {
    link: String,
    shared: String,
    public: String,
    /// A right that the other gave them.
    given: String,
}

impl Belongings {
    /// Fills the account of `owner`, and has the `other` give them something, too.
    pub async fn of(product: &Product, owner: &Account, other: &Account) -> Result<Self> {
        let folder = product.make_folder(owner, "root", "mine").await?;
        let file = id(&product.upload(owner, &folder, "a.txt", crate::contents::noise(100_000, 8)).await?)?;
        let public = format!("/api/v1/files/{file}/public");
        send(product.as_user(owner, Method::PUT, &public)).await?.expect(200)?;
        let body = json!({ "address": other.email, "role": "viewer" });
        product.post(owner, &format!("/api/v1/files/{folder}/shares"), &body).await?.expect(201)?;
        let links = format!("/api/v1/files/{folder}/links");
        let link = product.post(owner, &links, &json!({ "role": "viewer" })).await?.expect(201)?.json()?;
        let link = link["token"].as_str().context("a token")?.to_owned();
        let theirs = product.make_folder(other, "root", "theirs").await?;
        let given = format!("/api/v1/files/{theirs}/shares");
        let body = json!({ "address": owner.email, "role": "manager" });
        product.post(other, &given, &body).await?.expect(201)?;
        Ok(Self {
            link: format!("/api/v1/public/{link}"),
            shared: format!("/api/v1/files/{file}/content"),
            public: format!("/files/{file}/data"),
            given,
        })
    }

    /// Each way in answers so.
    pub async fn answer(&self, product: &Product, other: &Account, status: u16) -> Result<()> {
        send(product.request(Method::GET, &self.link)).await?.expect(status).context("the link")?;
        send(product.request(Method::GET, &self.public)).await?.expect(status).context("what is public")?;
        product.get(other, &self.shared).await?.expect(status).context("what is shared")?;
        Ok(())
    }

    /// Waits until nothing is left that the end of its owner does not leave to others.
    pub async fn until_gone(&self, product: &Product, admin: &Account, other: &Account) -> Result<()> {
        until("the job to remove what is left", || async {
            let jobs = product.get(admin, "/api/v1/jobs?type=account-ended").await?.expect(200)?.json()?;
            ensure!(jobs["total"] == 1 || jobs["total"] == 0, "one account, one job: {jobs}");
            Ok((jobs["items"][0]["state"] == "complete").then_some(()))
        })
        .await?;
        let given = product.get(other, &self.given).await?.expect(200)?.json()?;
        ensure!(given["items"] == json!([]), "{given}");
        let stats = send(product.request(Method::GET, "/stats")).await?.expect(200)?.json()?;
        ensure!(stats["files"] == 1, "only the other's folder is left: {stats}");
        self.answer(product, other, 404).await
    }
}

/// An account that its owner ends is closed at once to all others, is as it was when its owner keeps it, and goes with everything when an administrator
/// ends it.
pub async fn an_account_ends_for_everybody_at_once(product: &Product) -> Result<()> {
    let admin = product.set_up().await?;
    let (ada, bob) = (product.register("ada").await?, product.register("bob").await?);
    let belongings = Belongings::of(product, &ada, &bob).await?;
    belongings.answer(product, &bob, 200).await?;

    let me = "/api/v1/users/me";
    let ask = |body| send(product.as_user(&ada, Method::DELETE, me).json(&body));
    ask(json!({ "password": "wrong" })).await?.expect_problem(403, "wrong_password")?;
    belongings.answer(product, &bob, 200).await?;
    ask(json!({ "password": ada.password })).await?.expect(202)?;
    belongings.answer(product, &bob, 404).await?;
    product.get(&ada, me).await?.expect_problem(401, "unauthorized")?;

    let login = |keeps: bool| {
        let body = json!({ "email": ada.email, "password": ada.password, "cancelDeletion": keeps });
        send(product.request(Method::POST, "/api/v1/auth/login").json(&body))
    };
    let waits = login(false).await?.expect_problem(403, "deletion_scheduled")?;
    ensure!(waits["deletesAt"].is_string(), "{waits}");
    login(true).await?.expect(200)?;
    belongings.answer(product, &bob, 200).await?;

    let path = format!("/api/v1/admin/users/{}", ada.id);
    for disabled in [true, false] {
        let change = product.as_user(&admin, Method::PATCH, &path).json(&json!({ "disabled": disabled }));
        send(change).await?.expect(200)?;
        belongings.answer(product, &bob, if disabled { 404 } else { 200 }).await?;
    }
    send(product.as_user(&admin, Method::DELETE, &path)).await?.expect(204)?;
    belongings.answer(product, &bob, 404).await?;
    belongings.until_gone(product, &admin, &bob).await
}
