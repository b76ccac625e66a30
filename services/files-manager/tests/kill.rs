//! Kills the process at every step of an upload and of a job, and looks at what a restart finds.
//!
//! What was acknowledged is whole; what was not leaves nothing visible; every thumbnail gets made, with one effect; orphan blobs are collected.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and waits for each of its tasks"
)]

mod support;

use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, SystemTime};

use anyhow::{Result, ensure};
use common::jobs::Outbox as _;
use e2e::endings::Belongings;
use e2e::product::{Answer, id, send};
use e2e::samples::picture;
use e2e::wait::until;
use e2e::{Account, Product};
use reqwest::Method;
use serde_json::json;
use store_sqlite::{AuthDb, OpenOptions};
use support::{Installation, files_below};

/// Small enough to stand in the commit, and too large for that.
const SMALL: (u32, u32) = (40, 30);
const LARGE: (u32, u32) = (1400, 1000);

fn content(size: (u32, u32)) -> Vec<u8> {
    picture(size.0, size.1, if size == SMALL { "png" } else { "bmp" }).unwrap()
}

/// What must hold of the files after a restart, whatever happened before it.
async fn all_is_whole(
    product: &Product,
    ada: &Account,
    uploaded: &[u8],
    width: u32,
    expected: usize,
) -> Result<()> {
    let files = product.children(ada, "root").await?;
    ensure!(files.len() == expected, "{} files came of the upload, expected {expected}", files.len());
    for file in &files {
        let file_id = id(file)?;
        ensure!(product.content(ada, &file_id).await? == uploaded, "the content is not whole");
        until("the thumbnails", || async {
            let file = product.get(ada, &format!("/api/v1/files/{file_id}")).await?.expect(200)?.json()?;
            Ok((file["thumbnails"]["state"] == "ready").then_some(()))
        })
        .await?;
        for asked in [100, 250, 500, 1280] {
            let path = format!("/api/v1/files/{file_id}/thumbnails/{asked}");
            let made = product.get(ada, &path).await?.expect(200)?;
            let found = e2e::samples::width_of(&made.body)?;
            ensure!(found == asked.min(width), "the thumbnail of {asked} is {found} wide");
        }
        let jobs = e2e::jobs::all_ended(product, ada).await?;
        ensure!(jobs["failed"] == 0, "{jobs}");
        let jobs = product.get(ada, "/api/v1/users/me/jobs?type=thumbnails").await?.expect(200)?.json()?;
        ensure!(jobs["total"] == 1, "one upload, one job: {jobs}");
    }
    let usage = product.get(ada, "/api/v1/usage").await?.expect(200)?.json()?;
    let expected = if files.is_empty() { 0 } else { uploaded.len() };
    ensure!(usage["usedBytes"] == expected, "{usage}, expected {expected}");
    Ok(())
}

/// The upload, under a key: whoever did not hear its answer sends it once more.
async fn send_picture(product: &Product, ada: &Account, content: &[u8]) -> Result<Answer> {
    let path = "/api/v1/files/root/children/picture/content?onConflict=rename";
    let request = product.as_user(ada, Method::PUT, path).header("Idempotency-Key", "k");
    send(request.body(content.to_vec())).await
}

/// `visible` says whether the file must be there after the restart: from the commit on, acknowledged or not.
async fn killed_at(point: &str, size: (u32, u32), visible: bool) {
    let installation =
        Installation::fresh().with("FM_MAINTENANCE__EVERY", "1s").with("FM_MAINTENANCE__STRAYS_EVERY", "1s");
    let running = installation.start();
    let ada = running.product().register("ada").await.unwrap();
    running.stop();

    let mut doomed = installation.start_with(&[("FM_TEST_CRASH_AT", point)]);
    let product = doomed.product();
    let uploaded = content(size);
    let answer = send_picture(&product, &ada, &uploaded).await;
    let acknowledged = answer.is_ok_and(|answer| answer.status.as_u16() == 201);
    let ended = doomed.wait();
    assert_eq!(ended.signal(), Some(9), "it did not pass {point}");

    let running = installation.start();
    let product = running.product();
    assert!(visible || !acknowledged, "{point} comes before the commit, and the upload was acknowledged");
    if visible {
        // it is not done again, whether its answer was kept or not
        let again = send_picture(&product, &ada, &uploaded).await.unwrap();
        assert_eq!(again.header("idempotent-replayed"), Some("true"), "{again:?}");
        if again.status.as_u16() != 201 {
            again.expect_problem(409, "answer_lost").unwrap();
        }
    }
    if let Err(error) = all_is_whole(&product, &ada, &uploaded, size.0, usize::from(visible)).await {
        panic!("after {point} (acknowledged: {acknowledged}): {error:?}");
    }
    no_orphans(&installation, running, &ada).await.unwrap();
}

/// Ages every blob file by two days, restarts so that the clearing up begins, and waits until only what has a row is left.
async fn no_orphans(installation: &Installation, running: support::Running, ada: &Account) -> Result<()> {
    running.stop();
    let blobs = || files_below(&installation.data().join("blobs"));
    let temporary = || files_below(&installation.data().join("tmp"));
    let long_ago = SystemTime::now() - Duration::from_secs(2 * 24 * 3600);
    for file in blobs().into_iter().chain(temporary()) {
        std::fs::File::options().write(true).open(file)?.set_modified(long_ago)?;
    }
    let running = installation.start();
    let product = running.product();
    until("orphans to be collected", || async {
        let files = product.children(ada, "root").await?;
        // the original, unless it is small, and such of its four thumbnails as are not
        let most = files.len() * 5;
        Ok((temporary().is_empty() && blobs().len() <= most).then_some(()))
    })
    .await?;
    for file in product.children(ada, "root").await? {
        product.content(ada, &id(&file)?).await?;
        product.get(ada, &format!("/api/v1/files/{}/thumbnails/1280", id(&file)?)).await?.expect(200)?;
    }
    Ok(())
}

macro_rules! kills {
    ($($name:ident $point:literal $visible:literal)*) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn with_a_small_file() {
                super::killed_at($point, super::SMALL, $visible).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn with_a_large_file() {
                super::killed_at($point, super::LARGE, $visible).await;
            }
        }
    )*};
}

kills! {
    in_the_body "upload.in-body" false
    after_the_blob "upload.after-blob" false
    after_the_commit "upload.after-commit" true
    before_the_relay "file-service/relay.before-publish" true
    after_the_relay "file-service/relay.after-publish" true
    in_the_job "thumbnails/job.in-work" true
    before_its_completion "thumbnails/job.before-complete" true
}

/// A copy of a folder that was killed in its midst is completed by its job, with each file once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_goes_on_where_it_was() {
    let installation = Installation::fresh();
    let running = installation.start();
    let product = running.product();
    let ada = product.register("ada").await.unwrap();
    let top = product.make_folder(&ada, "root", "top").await.unwrap();
    let file = id(&product.upload(&ada, "root", "a.txt", b"x".to_vec()).await.unwrap()).unwrap();
    let copies: Vec<_> = (0..450)
        .map(|n| json!({"op": "copy", "id": file, "parentId": top, "name": format!("{n}")}))
        .collect();
    let batch = json!({ "operations": copies });
    product.post(&ada, "/api/v1/files/batch", &batch).await.unwrap().expect(200).unwrap();
    running.stop();

    let mut doomed = installation.start_with(&[("FM_TEST_CRASH_AT", "copy.after-page")]);
    let copy = json!({"name": "copy"});
    let with_key = async |product: &Product| {
        let request = product.as_user(&ada, Method::POST, &format!("/api/v1/files/{top}/copy"));
        send(request.header("Idempotency-Key", "k").json(&copy)).await
    };
    assert!(with_key(&doomed.product()).await.is_err(), "it was answered before it was killed");
    assert_eq!(doomed.wait().signal(), Some(9));

    let running = installation.start();
    let product = running.product();
    until("the copy to be complete", || async {
        let jobs = product.get(&ada, "/api/v1/users/me/jobs?type=copy").await?.expect(200)?.json()?;
        Ok((jobs["items"][0]["state"] == "complete").then_some(()))
    })
    .await
    .unwrap();
    // it was begun, so it is not begun again, although nobody heard the answer
    with_key(&product).await.unwrap().expect_problem(409, "answer_lost").unwrap();
    let found = product.children(&ada, "root").await.unwrap();
    assert_eq!(found.len(), 3);
    let copy = found.iter().find(|file| file["name"] == "copy").expect("it grows where it will be");
    assert_eq!(copy["childCount"], 450);
    let mut names: Vec<String> = product
        .children(&ada, &id(copy).unwrap())
        .await
        .unwrap()
        .iter()
        .map(|file| file["name"].as_str().unwrap().to_owned())
        .collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 450);
    let usage = product.get(&ada, "/api/v1/usage").await.unwrap().expect(200).unwrap().json().unwrap();
    assert_eq!(usage["usedBytes"], 901);
}

/// An account is gone when its row is; whatever happens between that and the job that removes the rest, the rest goes.
async fn killed_while_an_account_ends(point: &str) {
    let installation = Installation::fresh();
    let running = installation.start();
    let product = running.product();
    let admin = product.set_up().await.unwrap();
    let (ada, bob) = (product.register("ada").await.unwrap(), product.register("bob").await.unwrap());
    let belongings = Belongings::of(&product, &ada, &bob).await.unwrap();
    // nothing else is on its way to the job store: what a restart finds there is sent again, and would meet the point
    let outbox = AuthDb::open(installation.data().join("auth.db"), &OpenOptions::default()).unwrap();
    until("the outbox to be empty", || async { Ok((outbox.depth().await? == 0).then_some(())) })
        .await
        .unwrap();
    outbox.close();
    running.stop();

    let mut doomed = installation.start_with(&[("FM_TEST_CRASH_AT", point)]);
    let product = doomed.product();
    let path = format!("/api/v1/admin/users/{}", ada.id);
    // the process may end before this is answered
    let _unheard = send(product.as_user(&admin, Method::DELETE, &path)).await;
    assert_eq!(doomed.wait().signal(), Some(9), "it did not pass {point}");

    let running = installation.start();
    let product = running.product();
    if let Err(error) = belongings.until_gone(&product, &admin, &bob).await {
        panic!("after {point}: {error:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_goes_with_everything_between_its_row_and_its_job() {
    killed_while_an_account_ends("auth-service/relay.before-publish").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_goes_with_everything_before_its_job_is_done() {
    killed_while_an_account_ends("account-ended/job.before-complete").await;
}

/// What was asked for is put together whatever happens meanwhile, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_goes_on_wherever_its_job_was_killed() {
    for point in ["account-export/job.in-work", "account-export/job.before-complete"] {
        let installation = Installation::fresh();
        let mut doomed = installation.start_with(&[("FM_TEST_CRASH_AT", point)]);
        let product = doomed.product();
        let (ada, bob) = (product.register("ada").await.unwrap(), product.register("bob").await.unwrap());
        let large = e2e::exports::fill(&product, &ada, &bob).await.unwrap();
        // the process may end before this is answered
        let _unheard = e2e::exports::ask(&product, &ada).await;
        assert_eq!(doomed.wait().signal(), Some(9), "it did not pass {point}");
        let running = installation.start();
        if let Err(error) = e2e::exports::taken(&running.product(), &ada, &bob, &large).await {
            panic!("after {point}: {error:?}");
        }
    }
}

/// Kills at moments that nobody chose, again and again, while uploads go on: all that was acknowledged is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_random_moments_nothing_acknowledged_is_lost() {
    let rounds = if cfg!(feature = "long") { 60 } else { 4 };
    let installation = Installation::fresh();
    let running = installation.start();
    let ada = running.product().register("ada").await.unwrap();
    running.stop();
    let mut acknowledged = Vec::new();
    for round in 0..rounds {
        let running = installation.start();
        let product = running.product();
        let uploads: Vec<_> = (0..4)
            .map(|lane| {
                let (product, ada) = (product.clone(), ada.clone());
                tokio::spawn(async move {
                    let mut done = Vec::new();
                    for n in 0_u64.. {
                        let seed = (round * 4 + lane) * 1_000_000 + n;
                        let len = if n % 3 == 0 { 100_000 } else { 5_000 };
                        let content = e2e::contents::noise(len, seed);
                        match product.put(&ada, "root", &format!("{seed}"), content).await {
                            Ok(answer) if answer.status.as_u16() == 201 => done.push((seed, len)),
                            _ => break,
                        }
                    }
                    done
                })
            })
            .collect();
        let before = acknowledged.len();
        // another moment each time: after so many files are visible
        let files = usize::try_from(3 + round * 7 % 20).unwrap();
        until("some uploads", || async {
            let page = product.get(&ada, "/api/v1/files/root/children?limit=1").await?.expect(200)?.json()?;
            Ok((page["total"].as_u64() >= Some((before + files) as u64)).then_some(()))
        })
        .await
        .unwrap();
        running.kill();
        for upload in uploads {
            acknowledged.extend(upload.await.unwrap());
        }
    }
    let running = installation.start();
    let product = running.product();
    let files = product.children(&ada, "root").await.unwrap();
    for (seed, len) in &acknowledged {
        let file = files.iter().find(|file| file["name"].as_str() == Some(seed.to_string().as_str()));
        let file = id(file.unwrap_or_else(|| panic!("{seed} was acknowledged and is gone"))).unwrap();
        assert!(
            product.content(&ada, &file).await.unwrap() == e2e::contents::noise(*len, *seed),
            "{seed} is not whole"
        );
    }
    let used: u64 = files.iter().filter_map(|file| file["size"].as_u64()).sum();
    let usage = product.get(&ada, "/api/v1/usage").await.unwrap().json().unwrap();
    assert_eq!(usage["usedBytes"], used);
}
