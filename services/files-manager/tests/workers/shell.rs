//! The worker in shell.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;
use serde_json::json;

use crate::scene::Scene;
use crate::support;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checksums_are_made_by_the_worker_in_shell() {
    let running = support::fresh().await;
    let scene = Scene::of(&running).await;
    scene.start("sh", &["-n", "worker.sh"], &[]).ended().await.unwrap();
    let file = scene.product.upload(&scene.admin, "root", "a", "x".repeat(100_000)).await.unwrap();
    let job = scene.make(json!({ "type": "checksum", "data": { "fileId": file["id"] } })).await.unwrap();
    let token = &*scene.admin.token;
    let said =
        scene.start("sh", &["worker.sh"], &[("ONCE", "1"), ("FILES_MANAGER_TOKEN", token)]).ended().await;
    assert_eq!(said.unwrap(), "");
    let done = scene.job(&job).await.unwrap();
    assert_eq!((&done["state"], &done["result"]["sha256"]), (&json!("complete"), &file["sha256"]), "{done}");
    // the next one signs in, works a job without a file and one with, and is told to stop meanwhile
    let jobs = [json!({}), json!({ "fileId": file["id"] })]
        .map(|data| json!({ "type": "checksum", "data": data, "attempts": 2 }));
    let (none, one) =
        (scene.make(jobs[0].clone()).await.unwrap(), scene.make(jobs[1].clone()).await.unwrap());
    let worker = scene.start("sh", &["worker.sh"], &[]);
    assert_eq!(scene.until_state(&none, "failed").await.unwrap()["attempts"]["made"], 1);
    scene.until_state(&one, "complete").await.unwrap();
    worker.signal(Signal::TERM);
    // it waits for jobs in one long request, and gives back what that brings
    let last = scene.make(json!({ "type": "checksum" })).await.unwrap();
    worker.ended().await.unwrap();
    let last = scene.job(&last).await.unwrap();
    assert_eq!((&last["state"], &last["attempts"]["made"]), (&json!("inactive"), &json!(0)), "{last}");
}

/// A search path on which a tool of this name comes first that does what the script says.
fn in_front(scene: &Scene, name: &str, script: &str) -> String {
    let tools = scene.path("tools");
    fs::create_dir(&tools).unwrap();
    fs::write(tools.join(name), script).unwrap();
    fs::set_permissions(tools.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{}", tools.display(), std::env::var("PATH").unwrap())
}

/// Stands for a file so large that its sum takes hours.
const ENDLESS: &str = "#!/bin/sh\n: >\"$HERE/begun\"\nexec sleep 3600\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_worker_in_shell_gives_its_job_back_when_it_is_told_to_stop() {
    let running = support::fresh().await;
    let scene = Scene::of(&running).await;
    let file = scene.product.upload(&scene.admin, "root", "a", "x").await.unwrap();
    let job = scene.make(json!({ "type": "checksum", "data": { "fileId": file["id"] } })).await.unwrap();
    let path = in_front(&scene, "sha256sum", ENDLESS);
    let here = scene.path("");
    let worker = scene.start("sh", &["worker.sh"], &[("PATH", &path), ("HERE", here.to_str().unwrap())]);
    scene.until_there("begun").await.unwrap();
    worker.signal(Signal::TERM);
    assert_eq!(worker.ended().await.unwrap(), "");
    let given = scene.job(&job).await.unwrap();
    assert_eq!((&given["state"], &given["attempts"]["made"]), (&json!("inactive"), &json!(0)), "{given}");
    // with its only attempt still there
    let worker = scene.start("sh", &["worker.sh"], &[("ONCE", "1")]);
    worker.ended().await.unwrap();
    assert_eq!(scene.job(&job).await.unwrap()["result"]["sha256"], file["sha256"]);
}

/// The first claim is refused, as where too many of the account wait.
const REFUSING: &str = "#!/bin/sh\ncase \"$*\" in *jobs/claim*)\n    if [ ! -e \"$HERE/refused\" ]; then : >\"$HERE/refused\"; exit 22; fi ;;\nesac\nPATH=${PATH#*:} exec curl \"$@\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_worker_in_shell_goes_on_after_a_claim_that_was_refused() {
    let running = support::fresh().await;
    let scene = Scene::of(&running).await;
    let file = scene.product.upload(&scene.admin, "root", "a", "x").await.unwrap();
    let job = scene.make(json!({ "type": "checksum", "data": { "fileId": file["id"] } })).await.unwrap();
    let path = in_front(&scene, "curl", REFUSING);
    let here = scene.path("");
    let more = [("PATH", &*path), ("HERE", here.to_str().unwrap()), ("ONCE", "1")];
    scene.start("sh", &["worker.sh"], &more).ended().await.unwrap();
    scene.until_there("refused").await.unwrap();
    assert_eq!(scene.job(&job).await.unwrap()["result"]["sha256"], file["sha256"]);
}
