//! Backups that are taken while the product runs, and what comes back of them.

use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context as _, Result, ensure};
use e2e::contents::noise;
use e2e::product::{Account, Product, id, send};
use e2e::uploads::{append, begin, offset};
use reqwest::Method;
use serde_json::json;

use crate::support::{Installation, files_below};

/// The program's own command, run to its end.
async fn command(installation: &Installation, arguments: &[&str], folder: &Path) -> Output {
    let mut command = installation.command();
    command.args(arguments).arg(folder);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
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

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Small ones are in the database, large ones are not.
fn content(number: u64) -> Vec<u8> {
    noise(if number.is_multiple_of(2) { 3_000 } else { 150_000 }, number)
}

/// Uploads files until it is told to stop; `acknowledged` counts them.
async fn upload_all(
    product: Product,
    account: Account,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
) -> Result<()> {
    for number in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        product.upload(&account, "root", &format!("{number}.bin"), content(number)).await?;
        acknowledged.store(number + 1, Ordering::SeqCst);
    }
    Ok(())
}

async fn until_uploaded(acknowledged: &AtomicU64, count: u64) -> Result<()> {
    e2e::wait::until("uploads", || async { Ok((acknowledged.load(Ordering::SeqCst) >= count).then_some(())) })
        .await
}

/// Every file that was acknowledged by then is there, with its bytes.
async fn has_files(product: &Product, account: &Account, count: u64) -> Result<()> {
    let children = product.children(account, "root").await?;
    for number in 0..count {
        let name = format!("{number}.bin");
        let file = children.iter().find(|file| file["name"] == name.as_str());
        let file = id(file.with_context(|| format!("{name} is not there"))?)?;
        ensure!(product.content(account, &file).await? == content(number), "{name}");
    }
    Ok(())
}

/// Opens a link that wants a password.
async fn opens(product: &Product, link: &str) -> Result<()> {
    let path = format!("/api/v1/public/{link}");
    send(product.request(Method::GET, &path)).await?.expect_problem(401, "link_locked")?;
    let unlock =
        product.request(Method::POST, &format!("{path}/unlock")).json(&json!({"password": "sesame"}));
    send(unlock).await?.expect(200)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restored_without_its_secrets_it_waits_for_its_master_key() {
    if let Err(error) = without_secrets().await {
        panic!("{error:?}");
    }
}

async fn without_secrets() -> Result<()> {
    let installation = Installation::fresh();
    let running = installation.start();
    let product = running.product();
    let ada = product.register("ada").await?;
    product.upload(&ada, "root", "a.bin", noise(40_000, 1)).await?;
    let place = tempfile::tempdir()?;
    // a way round into the data folder is found before anything is made there
    let round = place.path().join("round");
    std::os::unix::fs::symlink(installation.data(), &round)?;
    let into = round.join("new/backup");
    refused(&command(&installation, &["backup"], &into).await, 64, "must not lie in one another")?;
    ensure!(!installation.data().join("new").exists());
    let backup = place.path().join("backup");
    succeeded(&command(&installation, &["backup", "--without-secrets"], &backup).await)?;
    running.stop();

    let restored = Installation::fresh();
    let output = command(&restored, &["restore"], &backup).await;
    succeeded(&output)?;
    ensure!(said(&output).contains("it has no secrets"), "{}", said(&output));
    let key = restored.data().join("secrets/master-key");
    for arguments in [&[][..], &["admin", "check"]] {
        refused(
            &restored.command().args(arguments).output()?,
            73,
            "the master key of this installation is missing",
        )?;
        ensure!(!key.exists(), "another key would open nothing of what is there");
    }
    let doctor = restored.command().arg("doctor").output()?;
    refused(&doctor, 1, "WRONG   master key")?;
    std::fs::create_dir_all(restored.data().join("secrets"))?;
    std::fs::copy(installation.data().join("secrets/master-key"), &key)?;
    let running = restored.start();
    let product = running.product();
    let ada = product.login(&ada.email, &ada.password).await?;
    ensure!(product.children(&ada, "root").await?.len() == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_brings_back_all_that_was_acknowledged_before_it() {
    if let Err(error) = there_and_back().await {
        panic!("{error:?}");
    }
}

async fn there_and_back() -> Result<()> {
    let installation = Installation::fresh();
    let running = installation.start();
    let product = running.product();
    let (ada, bob) = (product.register("ada").await?, product.register("bob").await?);
    let wanted = json!({"name": "n", "scopes": ["files:read"], "password": ada.password});
    let made = product.post(&ada, "/api/v1/users/me/tokens", &wanted).await?;
    let token = made.expect(201)?.json()?["token"].as_str().context("no token")?.to_owned();
    let folder = product.make_folder(&ada, "root", "Shared").await?;
    let linked = json!({"password": "sesame"});
    let link =
        product.post(&ada, &format!("/api/v1/files/{folder}/links"), &linked).await?.expect(201)?.json()?;
    let link = link["token"].as_str().context("no token")?.to_owned();
    opens(&product, &link).await?;
    let unfinished = noise(300_000, 99);
    let upload = begin(&product, &ada, "unfinished.bin", unfinished.len()).await?;
    append(&product, &ada, &upload, 0, &unfinished[..200_000]).await?.expect(204)?;

    let (stop, acknowledged) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let uploads =
        tokio::spawn(upload_all(product.clone(), bob.clone(), Arc::clone(&stop), Arc::clone(&acknowledged)));
    until_uploaded(&acknowledged, 6).await?;
    let place = tempfile::tempdir()?;
    let backup = place.path().join("backup");
    succeeded(&command(&installation, &["backup"], &backup).await)?;
    let first = files_below(&backup.join("blobs"));
    // the second run takes what has come since, and only that
    until_uploaded(&acknowledged, acknowledged.load(Ordering::SeqCst) + 4).await?;
    let before_it = acknowledged.load(Ordering::SeqCst);
    let again = command(&installation, &["backup"], &backup).await;
    succeeded(&again)?;
    stop.store(true, Ordering::SeqCst);
    uploads.await??;
    ensure!(files_below(&backup.join("blobs")).len() > first.len() && first.iter().all(|path| path.exists()));

    let restored = Installation::fresh();
    refused(&command(&installation, &["restore"], &backup).await, 73, "in use by process")?;
    running.kill();
    refused(&command(&installation, &["restore"], &backup).await, 73, "not empty")?;
    refused(&command(&restored, &["restore"], place.path()).await, 64, "no backup")?;

    // one bit of one content
    let damaged = &first[0];
    let whole = std::fs::read(damaged)?;
    let mut bytes = whole.clone();
    bytes[1000] ^= 1;
    std::fs::write(damaged, &bytes)?;
    refused(&command(&restored, &["restore"], &backup).await, 1, "damaged")?;
    refused(&restored.command().output()?, 73, "unfinished")?;
    // all others can be had
    let most = Installation::fresh();
    refused(&command(&most, &["restore", "--skip-damaged"], &backup).await, 1, "but for 1 contents")?;
    drop(most.start());
    std::fs::write(damaged, &whole)?;
    succeeded(&command(&restored, &["restore"], &backup).await)?;

    let running = restored.start();
    let product = running.product();
    has_files(&product, &bob, before_it).await?;
    has_files(&product, &product.login(&bob.email, &bob.password).await?, 1).await?;
    let by_token = product.request(Method::GET, &format!("/api/v1/files/{folder}")).bearer_auth(&token);
    ensure!(send(by_token).await?.expect(200)?.json()?["name"] == "Shared");
    opens(&product, &link).await?;
    ensure!(offset(&product, &ada, &upload).await? == 200_000, "the upload goes on where it was");
    let done = append(&product, &ada, &upload, 200_000, &unfinished[200_000..]).await?.expect(204)?;
    let file = done.header("file-id").context("no file")?.to_owned();
    ensure!(product.content(&ada, &file).await? == unfinished);
    let (status, log) = running.stop();
    ensure!(status.success(), "{log}");
    // a database that is damaged since takes the place of none
    let database = restored.data().join("auth.db");
    let mut bytes = std::fs::read(&database)?;
    bytes[4096..3 * 4096].fill(0);
    std::fs::write(&database, &bytes)?;
    refused(&command(&restored, &["backup"], &backup).await, 69, "the backup before stays")?;
    Ok(())
}
