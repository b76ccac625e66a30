//! What the calls are about.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use common::Sha256;
use reqwest::Method;
use serde_json::json;

use super::UNKNOWN;
use crate::credentials::token;
use crate::exports;
use crate::matrix::{About, Role};
use crate::product::{Account, Product, id, send};
use crate::uploads::begin;
use crate::wait::until;

/// What tells where something is stored, in either form of the product.
const STORAGE: [&str; 6] = ["blobs/", "x-accel-redirect", "master-key", "auth.db", "mongodb://", "s3://"];

/// What the calls are about. All of it is the owner's, `file` and `folder` lie in a folder that is shared.
pub(super) struct Things {
    pub(super) file: String,
    pub(super) folder: String,
    /// What is above both, and is shared.
    pub(super) top: String,
    pub(super) version: String,
    pub(super) locked_link: String,
    pub(super) others: BTreeMap<&'static str, String>,
    /// What no answer may hold.
    pub(super) secrets: Vec<String>,
}

impl Things {
    pub(super) async fn made(
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
        exports::ask(product, owner).await?;
        let export = until("the export", || async {
            let shown = product.get(owner, "/api/v1/users/me/export").await?.expect(200)?.json()?;
            Ok(shown["url"].as_str().map(str::to_owned))
        })
        .await?;
        let export = export.rsplit('/').next().context("the id of an export")?.to_owned();
        let others = BTreeMap::from([
            ("share", share),
            ("link", id(&link)?),
            ("operation", id(&operations["items"][0])?),
            ("session", id(&sessions["items"][0])?),
            ("upload", upload),
            ("job", id(&job)?),
            ("webhook", id(&webhook["webhook"])?),
            ("token", token),
            ("export", export),
            ("nothing", UNKNOWN.to_owned()),
        ]);
        let versions = format!("/api/v1/files/{file}/versions");
        let versions = product.get(owner, &versions).await?.expect(200)?.json()?;
        let webhook_secret = webhook["secret"].as_str().context("the secret of a webhook")?;
        let secrets = STORAGE
            .into_iter()
            .chain(["$2a$", "$2b$", "$2y$", password, &owner.password, webhook_secret, &text])
            .map(str::to_owned)
            .chain([Sha256::of(text.as_bytes()).to_string()])
            .collect();
        let locked_link = link["token"].as_str().context("the token of a link")?.to_owned();
        let version = versions["items"][0]["version"].to_string();
        Ok(Self { file, folder, top, version, locked_link, others, secrets })
    }

    pub(super) fn id_of(&self, about: About) -> &str {
        match about {
            About::File(_) => &self.file,
            About::Folder(_) => &self.folder,
            About::Opening(kind) | About::Own(kind) => self.others.get(kind).map_or(UNKNOWN, String::as_str),
            About::LockedLink => &self.locked_link,
        }
    }
}
