//! Workers in Python.

use std::fs;

use e2e::product::id;
use e2e::wait::until;
use rustix::process::Signal;
use serde_json::json;

use crate::relay;
use crate::scene::Scene;
use crate::support::{self, Installation};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_are_counted_by_the_example() {
    let running = support::fresh().await;
    let scene = Scene::of(&running).await;
    let (product, admin) = (&scene.product, &scene.admin);
    let worker = scene.start("python3", &["-W", "error", "word_count.py"], &[]);
    let ada = product.register("ada").await.unwrap();
    let text = "It’s a test.\nA test, a TEST of numbers like 7!\n".repeat(10_000);
    let mut jobs = Vec::new();
    for (name, content) in [
        ("text.txt", text.into_bytes()),
        ("empty.txt", Vec::new()),
        ("latin.txt", b"first line\nn\xef\xbfve \xff\xfe\n".to_vec()),
        ("picture.png", e2e::samples::picture(30, 20, "png").unwrap()),
    ] {
        let file = id(&product.upload(&ada, "root", name, content).await.unwrap()).unwrap();
        let share = json!({ "address": admin.email, "role": "viewer" });
        let shared = product.post(&ada, &format!("/api/v1/files/{file}/shares"), &share).await.unwrap();
        shared.expect(201).unwrap();
        let job =
            json!({ "type": "word-count", "data": { "fileId": file }, "userId": ada.id, "attempts": 3 });
        jobs.push(scene.make(job).await.unwrap());
    }
    jobs.push(scene.make(json!({ "type": "word-count", "data": {}, "attempts": 3 })).await.unwrap());
    let counted = scene.until_state(&jobs[0], "complete").await.unwrap();
    let result = &counted["result"];
    assert_eq!((&result["lines"], &result["words"]), (&json!(20_000), &json!(110_000)), "{result}");
    assert_eq!((&result["different"], &result["common"][0]), (&json!(7), &json!(["a", 30_000])), "{result}");
    assert_eq!(counted["userId"], *ada.id);
    let log = product.get(admin, &format!("/api/v1/jobs/{}/log", jobs[0])).await.unwrap().json().unwrap();
    assert_eq!(log["items"][0]["line"], "490000 bytes of text/plain, utf-8");
    let mut failed = 0;
    for job in &jobs[1..] {
        let ended = until("a job to end", || async {
            let job = scene.job(job).await?;
            Ok(matches!(job["state"].as_str(), Some("complete" | "failed")).then_some(job))
        })
        .await
        .unwrap();
        assert_eq!(ended["attempts"]["made"], 1, "what cannot succeed is not tried again: {ended}");
        failed += usize::from(ended["state"] == "failed");
    }
    assert_eq!(failed, 3, "a picture, what is no text, and a job without a file");
    worker.signal(Signal::TERM);
    let said = worker.ended().await.unwrap();
    assert!(!said.contains(&admin.password) && !said.contains("eyJ"), "a secret is said: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_told_to_stop_finishes_its_job() {
    let running = support::fresh().await;
    let scene = Scene::of(&running).await;
    let worker = scene.start_slow("30");
    let job = scene.make(json!({ "type": "slow" })).await.unwrap();
    let next = scene.make(json!({ "type": "slow" })).await.unwrap();
    scene.until_there("begun-1").await.unwrap();
    worker.signal(Signal::TERM);
    scene.until_there("stopping").await.unwrap();
    scene.go();
    worker.ended().await.unwrap();
    assert_eq!(scene.job(&job).await.unwrap()["state"], "complete");
    assert_eq!(scene.job(&next).await.unwrap()["state"], "inactive", "it takes no other one");
    // nor does one that waits for jobs
    let worker = scene.start_slow("30");
    scene.until_state(&next, "complete").await.unwrap();
    worker.signal(Signal::TERM);
    worker.ended().await.unwrap();
    let last = scene.make(json!({ "type": "slow" })).await.unwrap();
    assert_eq!(scene.job(&last).await.unwrap()["state"], "inactive");
}

/// A restart of workers had cost each job at hand an attempt, and jobs with one attempt were given up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_told_to_stop_gives_back_what_does_not_end() {
    let running = support::fresh().await;
    let scene = Scene::of(&running).await;
    let job = scene.make(json!({ "type": "slow" })).await.unwrap();
    // first because its time is over, then because its handler says so
    for (grace, sign) in [("0.1", None), ("600", Some("give-back"))] {
        let worker = scene.start_slow_with("30", grace);
        scene.until_there("begun-1").await.unwrap();
        fs::remove_file(scene.path("begun-1")).unwrap();
        if let Some(sign) = sign {
            scene.says(sign);
        }
        worker.signal(Signal::TERM);
        worker.ended().await.unwrap();
        let given = scene.job(&job).await.unwrap();
        assert_eq!((&given["state"], &given["attempts"]["made"]), (&json!("inactive"), &json!(0)), "{given}");
        assert_eq!(given["failures"], json!([]));
    }
    scene.go();
    let heir = scene.start_slow("30");
    let done = scene.until_state(&job, "complete").await.unwrap();
    assert_eq!(done["result"], json!({ "attempt": 1 }));
    heir.signal(Signal::TERM);
    heir.ended().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_keeps_its_lease_and_loses_it_when_it_is_killed() {
    let running = support::fresh().await;
    let scene = Scene::of(&running).await;
    let worker = scene.start_slow("2");
    let job = scene.make(json!({ "type": "slow", "attempts": 2 })).await.unwrap();
    scene.until_there("begun-1").await.unwrap();
    // longer than its lease, and until it was looked for those that ended
    let silent = scene.make(json!({ "type": "silent" })).await.unwrap();
    let claim = json!({ "types": ["silent"], "workerId": "silent", "leaseMs": 3000 });
    let claims = scene.product.post(&scene.admin, "/api/v1/jobs/claim", &claim).await.unwrap();
    assert_eq!(claims.json().unwrap()["items"][0]["job"]["id"], *silent);
    scene.until_state(&silent, "failed").await.unwrap();
    let held = scene.job(&job).await.unwrap();
    assert_eq!((&held["state"], &held["failures"]), (&json!("active"), &json!([])), "{held}");

    worker.signal(Signal::KILL);
    let heir = scene.start_slow("30");
    scene.until_there("begun-2").await.unwrap();
    scene.go();
    let done = scene.until_state(&job, "complete").await.unwrap();
    assert_eq!(done["result"], json!({ "attempt": 2 }));
    assert_eq!(
        (&done["failures"][0]["error"], &done["workerId"]),
        (&json!("lease lost"), &json!("slow-30.0"))
    );
    heir.signal(Signal::INT);
    heir.ended().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_survives_the_product() {
    let installation = Installation::fresh();
    let running = installation.start();
    let scene = Scene::of(&running).await;
    let worker = scene.start_slow("60");
    let job = scene.make(json!({ "type": "slow" })).await.unwrap();
    scene.until_there("begun-1").await.unwrap();
    let listen = running.address.trim_start_matches("http://").to_owned();
    running.kill();
    // it reports into the void until somebody listens again
    scene.go();
    let worker_waits = || async { Ok(fs::read_to_string(&worker.said)?.contains("/progress").then_some(())) };
    until("the worker to notice", worker_waits).await.unwrap();
    let _running = installation.start_with(&[("FM_LISTEN", &listen)]);
    let done = scene.until_state(&job, "complete").await.unwrap();
    assert_eq!((&done["result"], &done["failures"]), (&json!({ "attempt": 1 }), &json!([])), "{done}");
    worker.signal(Signal::TERM);
    worker.ended().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_may_not_work_says_so_and_ends() {
    let running = support::fresh().await;
    let scene = Scene::of(&running).await;
    let ada = scene.product.register("ada").await.unwrap();
    let as_ada = [("FILES_MANAGER_EMAIL", &*ada.email), ("FILES_MANAGER_PASSWORD", &*ada.password)];
    let worker = scene.start("python3", &["word_count.py"], &as_ada);
    let refused = worker.ended().await.unwrap_err().to_string();
    assert!(refused.contains("files_worker.Refused: 403 forbidden"), "{refused}");
    let worker = scene.start("python3", &["word_count.py"], &[("FILES_MANAGER_PASSWORD", "wrong password")]);
    let refused = worker.ended().await.unwrap_err().to_string();
    assert!(refused.contains("401 invalid_credentials"), "{refused}");
}

/// Works eight jobs at once, each of which ends when all are begun.
const TOGETHER: &str = r#"
import os, sys, threading
from files_worker import Worker
worker = Worker.from_environment(concurrency=8)
together = threading.Barrier(8)
@worker.handles("together")
def work(job):
    together.wait(25)
worker.run()
"#;

/// Each thread had a claim of its own, and fifty of an account may wait: more than that were refused over and over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_with_many_threads_takes_one_place_among_claims_that_wait() {
    let installation = Installation::fresh();
    let running = installation.start_with(&[("FM_CLAIMS__WAITING_OF_ONE", "1")]);
    let scene = Scene::of(&running).await;
    let worker = scene.start("python3", &["-W", "error", "-c", TOGETHER], &[]);
    let waits = json!({ "types": ["other"], "workerId": "w", "waitMs": 1 });
    until("the worker to wait", || async {
        let answer = scene.product.post(&scene.admin, "/api/v1/jobs/claim", &waits).await?;
        Ok(answer.expect(429).is_ok().then_some(()))
    })
    .await
    .unwrap();
    let mut jobs = Vec::new();
    for _ in 0..8 {
        jobs.push(scene.make(json!({ "type": "together" })).await.unwrap());
    }
    for job in &jobs {
        scene.until_state(job, "complete").await.unwrap();
    }
    worker.signal(Signal::TERM);
    let said = worker.ended().await.unwrap();
    // once, where it came at the very moment of our question
    assert!(said.matches("429").count() <= 1, "{said}");
}

/// Works one job at a time, and says which calls it makes. One result is more than the server takes.
const BUSY: &str = r#"
import files_worker
post = files_worker.Client.post
def told(self, path, *rest, **more):
    print("call", path.rsplit("/", 1)[1], flush=True)
    return post(self, path, *rest, **more)
files_worker.Client.post = told
worker = files_worker.Worker.from_environment()
@worker.handles("busy")
def busy(job):
    return "x" * job.data
worker.run()
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_worker_reports_and_claims_in_one_call() {
    let running = support::fresh().await;
    let scene = Scene::of(&running).await;
    let mut jobs = Vec::new();
    for size in [1, 2, 300_000, 4, 5] {
        jobs.push(scene.make(json!({ "type": "busy", "data": size })).await.unwrap());
    }
    let worker = scene.start("python3", &["-W", "error", "-c", BUSY], &[]);
    for (number, job) in jobs.iter().enumerate() {
        let ended = scene.until_state(job, if number == 2 { "failed" } else { "complete" }).await.unwrap();
        assert_eq!(ended["attempts"]["made"], 1, "{ended}");
    }
    let claims = || async {
        let said = fs::read_to_string(&worker.said)?;
        Ok((said.matches("call claim").count() == 3).then_some(()))
    };
    until("the worker to wait again", claims).await.unwrap();
    worker.signal(Signal::TERM);
    let said = worker.ended().await.unwrap();
    // the first call, the one after a result that was refused, and the one that waits at the end
    let calls = |what: &str| said.lines().filter(|line| *line == format!("call {what}")).count();
    assert_eq!((calls("results"), calls("claim"), calls("complete")), (5, 3, 1), "{said}");
}

/// Downloads the content of its file, and says what came of it.
const DOWNLOAD: &str = r#"
import hashlib, os, sys
from files_worker import Worker
path = os.path.join(sys.argv[1], "content")
worker = Worker.from_environment()
@worker.handles("download")
def download(job):
    job.download(path)
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
worker.run()
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_goes_on_where_its_connection_broke() {
    let running = support::fresh().await;
    let scene = Scene::of(&running).await;
    // no connection brings all of it
    let content: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_be_bytes).take(1_000_000).collect();
    let file = scene.product.upload(&scene.admin, "root", "large", content).await.unwrap();
    let relay = relay::cutting(&running.address, 300_000);
    let here = scene.path("");
    let arguments = ["-W", "error", "-c", DOWNLOAD, here.to_str().unwrap()];
    let worker = scene.start("python3", &arguments, &[("FILES_MANAGER_URL", &relay)]);
    let job = json!({ "type": "download", "data": { "fileId": file["id"] } });
    let job = scene.make(job).await.unwrap();
    let done = scene.until_state(&job, "complete").await.unwrap();
    assert_eq!(done["result"], file["sha256"]);
    worker.signal(Signal::TERM);
    worker.ended().await.unwrap();
}
