use std::time::Duration;

use common::files::{FileEvent, FileEventKind, NamedPlace};
use common::webhooks::WebhookStore as _;
use common::{FileId, SpaceId};

use super::*;
use crate::files_double::FilesServer;

/// Says that this happened to a file of this name, a second after all before.
fn happen(scene: &Scene, files: &FilesServer, user: UserId, kind: FileEventKind, name: &str) -> FileEvent {
    scene.world.clock.advance(Duration::from_secs(1));
    let mut events = files.state.events.lock().unwrap();
    let space = SpaceId(user.0);
    let place = |name: &str| NamedPlace { name: name.to_owned(), parent: Some(FileId(user.0)) };
    let event = FileEvent {
        space,
        seq: events.iter().filter(|event| event.space == space).count() as u64 + 1,
        at: scene.world.clock.now(),
        kind,
        node: FileId::from_bytes([7; 12]),
        folder: false,
        place: place(name),
        before: (kind == FileEventKind::Renamed).then(|| place("old")),
        user: Some(user),
        link: None,
    };
    events.push(event.clone());
    event
}

fn names(sent: &[receiver::Received]) -> Vec<String> {
    let name = |sent: &receiver::Received| sent.body()["data"]["name"].as_str().unwrap().to_owned();
    let mut names: Vec<String> = sent.iter().map(name).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_to_files_is_told_to_whose_they_are() {
    use FileEventKind::{Created, Renamed, Tagged, Trashed};
    let (files, receiver) = (FilesServer::start(), Receiver::start());
    let scene = Scene::with(|world| world.files = files.client()).await;
    happen(&scene, &files, bob(), Created, "before");
    scene.world.clock.advance(Duration::from_secs(1));
    let events = json!({ "events": ["file.created", "file.moved"] });
    let (webhook, secret) = scene.webhook("bob", &receiver.url, events).await;
    happen(&scene, &files, bob(), Created, "a");
    // two pages, what nobody asked for among it
    happen(&scene, &files, bob(), Trashed, "no");
    happen(&scene, &files, bob(), Tagged, "no");
    happen(&scene, &files, eve(), Created, "no");
    files.state.failing.store(2, std::sync::atomic::Ordering::SeqCst);
    let renamed = happen(&scene, &files, bob(), Renamed, "b");
    let sent = receiver.until_received(2).await;
    assert_eq!(names(&sent), ["a", "b"]);
    let moved = sent.iter().find(|sent| sent.field("webhook-event") == "file.moved").unwrap();
    assert_eq!(moved.good_signatures(&secret), 1);
    let home = json!(FileId(bob().0));
    assert_eq!(
        moved.body(),
        json!({
            "type": "file.moved", "timestamp": renamed.at,
            "data": {
                "eventId": format!("{}-5", bob()), "change": "renamed", "fileId": "07".repeat(12), "fileType": "file",
                "name": "b", "parentId": home, "oldName": "old", "oldParentId": home,
                "userId": bob(), "linkId": null,
            },
        })
    );

    // a process that died before it noted what it had told is followed by one that tells again, to nobody
    let id = webhook.parse().unwrap();
    let place = async || {
        let all = scene.world.store.db.webhooks_of_files(None, 10).await.unwrap();
        all.first().and_then(|(_, place)| *place)
    };
    until("its place to be noted", || async { (place().await == Some(5)).then_some(()) }).await;
    assert!(scene.world.store.db.set_files_told(id, Some(5), 1).await.unwrap());
    until("it to be told again", || async { (place().await == Some(5)).then_some(()) }).await;

    // what happens while it is off is not told later
    let own = format!("/webhooks/{webhook}");
    let switch = async |active: bool| {
        let (status, body) = scene.send("bob", Method::PATCH, &own, &json!({ "active": active })).await;
        assert_eq!(status, 200, "{body}");
    };
    switch(false).await;
    happen(&scene, &files, bob(), Created, "no");
    scene.world.clock.advance(Duration::from_secs(1));
    switch(true).await;
    happen(&scene, &files, bob(), Created, "c");
    assert_eq!(names(&receiver.until_received(3).await), ["a", "b", "c"]);
    let body = json!({ "events": ["file.flown"] });
    assert_eq!(scene.send("bob", Method::PATCH, &own, &body).await.0, 400);
    scene.stop().await;
    assert_eq!(receiver.received().len(), 3);
    receiver.stop().await;
    files.stop().await;
}
