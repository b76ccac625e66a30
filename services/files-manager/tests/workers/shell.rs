//! The worker in shell.

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
    // it waits for jobs in one long request, and works one more if there is one
    scene.make(json!({ "type": "checksum" })).await.unwrap();
    worker.ended().await.unwrap();
}
