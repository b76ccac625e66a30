//! An installation goes from the single program to the services and back, and is what it was.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use anyhow::{Context as _, Result, ensure};
use e2e::contents::noise;
use e2e::product::{Account, Product, id, send};
use e2e::stack::{Options, Servers, Stack};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Installation, files_below};

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn succeeded(output: &Output) -> Result<()> {
    ensure!(output.status.success(), "{}", said(output));
    Ok(())
}

fn refused(output: &Output, code: i32, word: &str) -> Result<()> {
    let said = said(output);
    ensure!(output.status.code() == Some(code) && said.contains(word), "{:?}: {said}", output.status);
    Ok(())
}

fn single(installation: &Installation, command: &str, folder: &Path) -> Result<Output> {
    Ok(installation.command().arg(command).arg(folder).output()?)
}

fn services(stack: &mut Stack, command: &str, folder: &Path) -> Result<Output> {
    let programs = stack.programs().to_owned();
    let folder = folder.to_str().context("a path that is text")?;
    stack.replica("file-service", 0).run(&programs, &[command, folder])
}

/// What is in an installation, by which it is known again.
struct Known {
    admin: Account,
    ada: Account,
    bob: Account,
    token: String,
    link: String,
    small: String,
    large: String,
    folder: String,
    job: String,
}

async fn fill(product: &Product) -> Result<Known> {
    let admin = product.set_up().await?;
    let (ada, bob) = (product.register("ada").await?, product.register("bob").await?);
    // jobs before files, so that some of them are yet to be done
    product.post(&admin, "/api/v1/jobs/pause", &json!({"type": "report"})).await?.expect(204)?;
    let limit = product.as_user(&admin, Method::PUT, "/api/v1/jobs/types/report/limit");
    send(limit.json(&json!({"max": 5, "perMs": 60_000}))).await?.expect(204)?;
    let job = json!({"type": "report", "data": {"of": "ada"}, "attempts": 3, "uniqueKey": "report of ada"});
    let job = id(&product.post(&admin, "/api/v1/jobs", &job).await?.expect(201)?.json()?)?;
    let delayed = json!({"type": "report", "delayMs": 86_400_000});
    product.post(&admin, "/api/v1/jobs", &delayed).await?.expect(201)?;
    let schedule = json!({"name": "nightly", "cron": "30 3 * * *", "type": "report"});
    product.post(&admin, "/api/v1/jobs/schedules", &schedule).await?.expect(201)?;
    product.post(&admin, "/api/v1/groups", &json!({"name": "Readers"})).await?.expect(201)?;
    product.post(&admin, "/api/v1/admin/invitations", &json!({})).await?.expect(201)?;
    // nobody listens there: messages fail, and wait for their next attempt
    let webhook =
        json!({"url": format!("http://{}:9/", e2e::webhooks::RECEIVER), "events": ["file.created"]});
    product.post(&ada, "/api/v1/webhooks", &webhook).await?.expect(201)?;

    let made = json!({"name": "script", "scopes": ["files:read"], "password": ada.password});
    let made = product.post(&ada, "/api/v1/users/me/tokens", &made).await?.expect(201)?.json()?;
    let token = made["token"].as_str().context("no token")?.to_owned();
    let begun = json!({"password": ada.password});
    product.post(&ada, "/api/v1/users/me/totp", &begun).await?.expect(200)?;
    let folder = product.make_folder(&ada, "root", "Shared").await?;
    let small = id(&product.upload(&ada, &folder, "small.txt", "first").await?)?;
    let put = product.as_user(&ada, Method::PUT, &format!("/api/v1/files/{small}/content")).body("second");
    send(put).await?.expect(200)?;
    let large = id(&product.upload(&ada, &folder, "large.bin", noise(400_000, 1)).await?)?;
    let marks = json!({"tags": ["Red", "Urgent"], "starred": true});
    let marked = product.as_user(&ada, Method::PATCH, &format!("/api/v1/files/{large}")).json(&marks);
    send(marked).await?.expect(200)?;
    let trashed = id(&product.upload(&ada, "root", "trashed.txt", "gone").await?)?;
    send(product.as_user(&ada, Method::DELETE, &format!("/api/v1/files/{trashed}"))).await?.expect(204)?;
    let share = json!({"address": bob.email, "role": "viewer"});
    product.post(&ada, &format!("/api/v1/files/{folder}/shares"), &share).await?.expect(201)?;
    let link = json!({"password": "sesame", "label": "for Carol", "maxDownloads": 9});
    let link =
        product.post(&ada, &format!("/api/v1/files/{folder}/links"), &link).await?.expect(201)?.json()?;
    let link = link["token"].as_str().context("no token")?.to_owned();
    Ok(Known { admin, ada, bob, token, link, small, large, folder, job })
}

async fn is_all_there(product: &Product, known: &Known) -> Result<()> {
    let Known { admin, ada, bob, token, link, small, large, folder, job } = known;
    let ada = product.login(&ada.email, &ada.password).await?;
    ensure!(product.content(&ada, small).await? == "second");
    ensure!(
        product.get(&ada, &format!("/api/v1/files/{small}/versions/1/content")).await?.expect(200)?.body
            == "first",
        "the version before"
    );
    let file = product.get(&ada, &format!("/api/v1/files/{large}")).await?.expect(200)?.json()?;
    ensure!(file["tags"] == json!(["Red", "Urgent"]) && file["starred"] == json!(true), "{file}");
    let trash = product.get(&ada, "/api/v1/trash").await?.expect(200)?.json()?;
    ensure!(trash["items"][0]["name"] == "trashed.txt", "{trash}");
    let usage = product.get(&ada, "/api/v1/usage").await?.expect(200)?.json()?;
    ensure!(usage["usedBytes"] == 400_000 + 5 + 6 + 4, "{usage}");
    let bob = product.login(&bob.email, &bob.password).await?;
    ensure!(product.content(&bob, large).await? == noise(400_000, 1), "shared with him");
    let by_token = product.request(Method::GET, &format!("/api/v1/files/{folder}")).bearer_auth(token);
    ensure!(send(by_token).await?.expect(200)?.json()?["name"] == "Shared");
    let place = format!("/api/v1/public/{link}");
    send(product.request(Method::GET, &place)).await?.expect_problem(401, "link_locked")?;
    let unlock =
        product.request(Method::POST, &format!("{place}/unlock")).json(&json!({"password": "sesame"}));
    send(unlock).await?.expect(200)?;
    let admin = product.login(&admin.email, &admin.password).await?;
    let job = product.get(&admin, &format!("/api/v1/jobs/{job}")).await?.expect(200)?.json()?;
    ensure!(job["state"] == "inactive" && job["data"] == json!({"of": "ada"}), "it waits: {job}");
    let done = product.get(&ada, "/api/v1/operations").await?.expect(200)?.json()?;
    let trashed = done["items"].as_array().into_iter().flatten().find(|item| item["type"] == "trash");
    let undo = format!("/api/v1/operations/{}/undo", id(trashed.context("what was done is known")?)?);
    product.post(&ada, &undo, &json!({})).await?.expect(200)?;
    let trash = product.get(&ada, "/api/v1/trash").await?.expect(200)?.json()?;
    ensure!(trash["items"] == json!([]), "it was undone: {trash}");
    Ok(())
}

/// The records of a folder, in an order that means nothing, and its contents. Jobs that the product gives itself are left out: each installation has its own.
fn records(folder: &Path) -> Result<BTreeMap<String, Vec<String>>> {
    let manifest: Value = serde_json::from_slice(&std::fs::read(folder.join("manifest.json"))?)?;
    let files = manifest["files"].as_object().context("no files")?;
    let sorted = |name: &String| {
        let text = std::fs::read_to_string(folder.join(name))?;
        let is_of_users = |line: &&str| name != "jobs.ndjson" || line.contains(r#""type":"report""#);
        let mut lines: Vec<_> = text.lines().filter(is_of_users).map(str::to_owned).collect();
        lines.sort();
        Ok((name.clone(), lines))
    };
    let mut records: BTreeMap<_, _> = files.keys().map(sorted).collect::<Result<_>>()?;
    let mut contents = Vec::new();
    for path in files_below(&folder.join("blobs")) {
        contents.push(format!(
            "{} {}",
            path.strip_prefix(folder)?.display(),
            common::Sha256::of(&std::fs::read(&path)?)
        ));
    }
    contents.sort();
    records.insert("blobs".to_owned(), contents);
    Ok(records)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_goes_over_to_the_services_and_back() {
    if let Err(error) = there_and_back().await {
        panic!("{error:?}");
    }
}

async fn there_and_back() -> Result<()> {
    let installation = Installation::fresh().with("FM_REGISTRATION", "open");
    let place = tempfile::tempdir()?;
    let [first, second] = ["first", "second"].map(|name| place.path().join(name));
    let running = installation.start();
    let known = fill(&running.product()).await?;
    refused(&single(&installation, "export", &first)?, 73, "in use by process")?;
    let (status, log) = running.stop();
    ensure!(status.success(), "{log}");
    let unfinished = place.path().join("first.unfinished");
    std::fs::create_dir(&unfinished)?;
    std::fs::write(unfinished.join("diary.txt"), "of somebody else")?;
    refused(&single(&installation, "export", &first)?, 64, "is in the way")?;
    // as an export leaves it that is killed
    std::fs::rename(unfinished.join("diary.txt"), unfinished.join("unfinished"))?;
    succeeded(&single(&installation, "export", &first)?)?;
    ensure!(!unfinished.exists(), "it was begun anew");
    refused(&single(&installation, "export", &first)?, 64, "is there already")?;
    for (path, mode) in [("", 0o700), ("manifest.json", 0o600), ("accounts.ndjson", 0o600), ("blobs", 0o700)]
    {
        let found = std::fs::metadata(first.join(path))?.permissions().mode() & 0o777;
        ensure!(found == mode, "{path:?} has mode {found:o}");
    }

    let servers = Servers::start().await?;
    let options = Options { replicas: 1, ..Options::of_tests()? };
    let mut stack = tokio::task::block_in_place(|| Stack::start(&servers, &options))?;
    tokio::task::block_in_place(|| stack.replicas().iter_mut().try_for_each(|replica| replica.stop()))?;
    let key = std::fs::read_to_string(installation.data().join("secrets/master-key"))?.trim().to_owned();
    refused(&services(&mut stack, "import", &first)?, 64, "another master key")?;
    let own_key = stack.replica("file-service", 0).setting("FM_MASTER_KEY").context("a key")?.to_owned();
    stack.replica("file-service", 0).set("FM_MASTER_KEY", &key);
    damaged(&mut stack, &first)?;
    succeeded(&services(&mut stack, "import", &first)?)?;
    refused(&services(&mut stack, "import", &first)?, 64, "without accounts and files")?;
    succeeded(&services(&mut stack, "export", &second)?)?;
    let (one, other) = (records(&first)?, records(&second)?);
    ensure!(one.values().filter(|lines| !lines.is_empty()).count() > 18, "{one:#?}");
    for (name, lines) in &one {
        ensure!(other.get(name) == Some(lines), "{name}:\n{lines:#?}\n{:#?}", other.get(name));
    }

    // the services go on under a key of their own
    stack.replica("file-service", 0).set("FM_MASTER_KEY", &own_key);
    let programs = stack.programs().to_owned();
    tokio::task::block_in_place(|| {
        for replica in stack.replicas() {
            replica.set("FM_MASTER_KEY_PREVIOUS", &key);
            replica.begin(&programs)?;
        }
        stack.replicas().iter_mut().try_for_each(|replica| replica.wait_until_ready().map(drop))
    })?;
    is_all_there(&stack.product(), &known).await?;

    let back = Installation::fresh();
    refused(&single(&back, "import", &second)?, 64, "master key")?;
    std::fs::create_dir_all(back.data().join("secrets"))?;
    std::fs::write(back.data().join("secrets/master-key"), &key)?;
    cut(&back, [&first, &second])?;
    succeeded(&single(&back, "import", &second)?)?;
    let running = back.start();
    is_all_there(&running.product(), &known).await?;
    let (status, log) = running.stop();
    ensure!(status.success(), "{log}");
    Ok(())
}

/// A folder that is not what it was changes nothing.
fn damaged(stack: &mut Stack, folder: &Path) -> Result<()> {
    let links = folder.join("links.ndjson");
    let whole = std::fs::read(&links)?;
    std::fs::write(&links, &whole[..whole.len() - 1])?;
    refused(&services(stack, "import", folder)?, 1, "links.ndjson is not what it was")?;
    std::fs::remove_file(&links)?;
    refused(&services(stack, "import", folder)?, 1, "links.ndjson is missing")?;
    std::fs::write(&links, &whole)?;
    let content = files_below(&folder.join("blobs")).into_iter().next().context("a content")?;
    let aside = folder.with_extension("aside");
    std::fs::rename(&content, &aside)?;
    refused(&services(stack, "import", folder)?, 1, "is missing")?;
    std::fs::rename(&aside, &content)?;
    let manifest = folder.join("manifest.json");
    let whole = std::fs::read_to_string(&manifest)?;
    std::fs::write(&manifest, whole.replacen("\"format\": 1", "\"format\": 2", 1))?;
    refused(&services(stack, "import", folder)?, 64, "has format 2")?;
    std::fs::write(&manifest, whole)?;
    let mark = folder.join("unfinished");
    std::fs::write(&mark, "")?;
    refused(&services(stack, "import", folder)?, 64, "the export was cut")?;
    std::fs::remove_file(&mark)?;
    Ok(())
}

/// What is found to be damaged on the way leaves a data folder that nothing starts on, and the same import ends it.
fn cut(installation: &Installation, [another, folder]: [&Path; 2]) -> Result<()> {
    let largest = files_below(&folder.join("blobs"))
        .into_iter()
        .max_by_key(|path| path.metadata().map_or(0, |found| found.len()));
    let content = largest.context("a content")?;
    let whole = std::fs::read(&content)?;
    let mut other = whole.clone();
    other[0] ^= 1;
    std::fs::write(&content, &other)?;
    refused(&single(installation, "import", folder)?, 1, "is not what it was")?;
    std::fs::write(&content, &whole)?;
    refused(&single(installation, "import", another)?, 64, "the import of another folder was cut here")?;
    let started = installation.command().output()?;
    refused(&started, 73, "an import into it was cut")?;
    let created = installation.command().args(["admin", "users", "list"]).output()?;
    refused(&created, 73, "an import into it was cut")
}
