//! What happens to files, as a stream.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use common::files::FileStore as _;
use file_service::FileSettings;
use futures_util::{Stream, StreamExt as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{Client, Server, address, answer, id_of};

/// Longest wait for anything: a failure, never a measure.
const PATIENCE: Duration = Duration::from_secs(30);

/// A stream that is followed.
struct Events {
    chunks: Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>>>>,
    text: String,
    /// Where it is.
    place: String,
    /// What came before it said so.
    early: Option<Heard>,
}

/// What came by it.
#[derive(Debug, PartialEq)]
struct Heard {
    word: String,
    data: Value,
}

impl Heard {
    /// Its word and the name of what it tells of.
    fn brief(&self) -> (&str, &str) {
        (&self.word, self.data["name"].as_str().unwrap_or_default())
    }
}

impl Events {
    async fn of(request: reqwest::RequestBuilder, from: Option<&str>) -> Self {
        let request = from.into_iter().fold(request, |request, id| request.header("last-event-id", id));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let chunks = Box::pin(response.bytes_stream());
        let mut events = Self { chunks, text: String::new(), place: String::new(), early: None };
        // the first block says where it is, by itself or with what is told at once
        while events.place.is_empty() {
            events.early = events.block().await.expect("it begins");
        }
        events
    }

    async fn follow(user: &Client<'_>, from: Option<&str>) -> Self {
        Self::of(user.request(Method::GET, "/api/v1/events"), from).await
    }

    /// The next block: an event, or none; `None` at the end of the stream.
    async fn block(&mut self) -> Option<Option<Heard>> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let field =
                    |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let (id, word, data) = (field("id: "), field("event: "), field("data: "));
                self.text = rest.to_owned();
                if let Some(id) = id {
                    self.place = id;
                }
                return Some(word.map(|word| Heard { word, data: data.unwrap().parse().unwrap() }));
            }
            let chunk = timeout(PATIENCE, self.chunks.next()).await.expect("something comes")?;
            self.text.push_str(std::str::from_utf8(&chunk.ok()?).unwrap());
        }
    }

    async fn next(&mut self) -> Heard {
        if let Some(early) = self.early.take() {
            return early;
        }
        loop {
            if let Some(heard) = self.block().await.expect("it goes on") {
                return heard;
            }
        }
    }
}

async fn server() -> Server {
    Server::with(|settings| settings.streams.look = Duration::from_millis(10)).await
}

async fn rename(user: &Client<'_>, id: &str, name: &str) {
    user.patch(&format!("/api/v1/files/{id}"), json!({"name": name})).await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn a_stream_goes_on_where_it_was_at_any_replica() {
    let server = server().await;
    let (user, other) = (server.user("a"), server.user("b"));
    user.folder("before", "root").await;
    let mut events = Events::follow(&user, None).await;
    let begun = events.place.clone();
    other.folder("theirs", "root").await;
    let id = user.file("a", "root", "x").await;
    rename(&user, &id, "b").await;
    let created = events.next().await;
    assert_eq!(created.brief(), ("created", "a"));
    let listed = user.get("/api/v1/activity?limit=2").await.expect(StatusCode::OK);
    assert_eq!(created.data, listed["items"][1], "it is told as it is listed");
    let cut_after = events.place.clone();
    assert_eq!(events.next().await.brief(), ("renamed", "b"));
    drop(events);

    user.delete(&format!("/api/v1/files/{id}")).await.expect(StatusCode::NO_CONTENT);
    let settings = FileSettings { recheck_every: Duration::from_millis(10), ..FileSettings::default() };
    let (replica, drain) = server.replica(settings);
    let client = reqwest_client();
    let elsewhere = |from: &str| {
        let request = client.get(format!("{replica}/api/v1/events")).bearer_auth("token-of-a");
        let from = from.to_owned();
        async move { Events::of(request, Some(&from)).await }
    };
    let mut events = elsewhere(&cut_after).await;
    assert_eq!(events.next().await.brief(), ("renamed", "b"));
    assert_eq!(events.next().await.brief(), ("trashed", "b"));
    let after = events.place.clone();
    user.post(&format!("/api/v1/files/{id}/restore"), json!({})).await.expect(StatusCode::OK);
    assert_eq!(events.next().await.brief(), ("restored", "b"));
    // it ends with its service, at once
    drain.stop.cancel();
    while events.block().await.is_some() {}

    // by the parameter, too; what is forgotten is told of
    let request = user.request(Method::GET, &format!("/api/v1/events?after={after}"));
    assert_eq!(Events::of(request, None).await.next().await.brief(), ("restored", "b"));
    server.clock.advance(FileSettings::default().keep_activity + Duration::from_secs(1));
    let upkeep = server.internal(Method::POST, "/internal/maintenance/expire-versions").json(&json!({}));
    answer(upkeep).await.expect(StatusCode::OK);
    let mut events = Events::follow(&user, Some(&begun)).await;
    assert_eq!(events.next().await, Heard { word: "reset".to_owned(), data: json!({}) });
    rename(&user, &id, "c").await;
    assert_eq!(events.next().await.brief(), ("renamed", "c"));
    let theirs = Events::follow(&other, None).await.place;
    let space = server.store.find_space_of(user.id).await.unwrap().unwrap().id;
    for wrong in ["x", "1", &format!("{after}.{after}"), &format!("{space}-0"), &theirs] {
        let request = user.request(Method::GET, "/api/v1/events").header("last-event-id", wrong);
        answer(request).await.expect_problem(400, "invalid_request");
    }
}

#[actix_web::test]
async fn of_what_is_shared_it_tells_what_one_may_see() {
    let server = server().await;
    let (owner, viewer) = (server.user("owner"), server.user("viewer"));
    let hidden = owner.folder("hidden", "root").await;
    let shared = owner.folder("shared", &hidden).await;
    let file = owner.file("a", &shared, "x").await;
    let secret = owner.file("hidden too", &hidden, "x").await;
    let body = json!({"address": address("viewer"), "role": "viewer"});
    let share = owner.post(&format!("/api/v1/files/{shared}/shares"), body).await.expect(StatusCode::CREATED);
    let mut events = Events::follow(&viewer, None).await;
    rename(&owner, &secret, "hidden still").await;
    rename(&owner, &file, "b").await;
    let renamed = events.next().await;
    assert_eq!((renamed.brief(), &renamed.data["parentId"]), (("renamed", "b"), &json!(shared)));
    // under a name, and in a folder, that are not theirs to know
    let away = json!({"name": "hidden name", "parentId": hidden});
    owner.patch(&format!("/api/v1/files/{file}"), away).await.expect(StatusCode::OK);
    let moved = events.next().await;
    assert_eq!(moved.brief(), ("moved", "b"));
    assert_eq!((&moved.data["parentId"], &moved.data["oldParentId"]), (&Value::Null, &json!(shared)));
    assert!(!moved.data.to_string().contains("hidden"), "{}", moved.data);
    rename(&owner, &file, "hidden again").await;
    let second = owner.file("c", &shared, "x").await;
    assert_eq!(events.next().await.brief(), ("created", "c"));
    owner.delete(&format!("/api/v1/files/{second}")).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(events.next().await.brief(), ("trashed", "c"));
    // their own files come by the same stream
    viewer.folder("mine", "root").await;
    assert_eq!(events.next().await.brief(), ("created", "mine"));
    // and nothing more after the end of the share
    owner.delete(&format!("/api/v1/shares/{}", id_of(&share))).await.expect(StatusCode::NO_CONTENT);
    owner.file("d", &shared, "x").await;
    viewer.folder("last", "root").await;
    assert_eq!(events.next().await.brief(), ("created", "last"));
}

/// Nothing else tells them of what they can see now.
#[actix_web::test]
async fn whoever_was_away_when_a_tree_was_first_shared_with_them_is_told_to_look() {
    let server = server().await;
    let (owner, viewer) = (server.user("owner"), server.user("viewer"));
    let folder = owner.folder("f", "root").await;
    let mut events = Events::follow(&viewer, None).await;
    viewer.folder("mine", "root").await;
    assert_eq!(events.next().await.brief(), ("created", "mine"));
    let place = events.place.clone();
    drop(events);

    let body = json!({"address": address("viewer"), "role": "viewer"});
    owner.post(&format!("/api/v1/files/{folder}/shares"), body).await.expect(StatusCode::CREATED);
    owner.file("early", &folder, "x").await;
    viewer.folder("meanwhile", "root").await;
    let mut events = Events::follow(&viewer, Some(&place)).await;
    let mut told = [events.next().await, events.next().await];
    told.sort_by(|a, b| a.word.cmp(&b.word));
    assert_eq!((told[0].brief(), &*told[1].word), (("created", "meanwhile"), "reset"));
    owner.file("late", &folder, "x").await;
    assert_eq!(events.next().await.brief(), ("created", "late"));
    // and told once
    let mut events = Events::follow(&viewer, Some(&events.place)).await;
    owner.file("last", &folder, "x").await;
    assert_eq!(events.next().await.brief(), ("created", "last"));
}

/// A place may be from before a folder was shared, or shared again, by which somebody follows other folders of the same tree. What left the folder until then
/// never was theirs to see.
#[actix_web::test]
async fn what_left_a_folder_before_it_was_shared_is_not_told_to_whoever_comes_back() {
    let server = server().await;
    let (owner, viewer) = (server.user("owner"), server.user("viewer"));
    let (first, late) = (owner.folder("first", "root").await, owner.folder("late", "root").await);
    let inside = owner.folder("inside", &late).await;
    let private = owner.folder("private", "root").await;
    let give = async |folder: &str| {
        let body = json!({"address": address("viewer"), "role": "viewer"});
        let path = format!("/api/v1/files/{folder}/shares");
        id_of(&owner.post(&path, body).await.expect(StatusCode::CREATED))
    };
    give(&first).await;
    let known = Events::follow(&viewer, None).await.place;
    let leaves = async |folder: &str| {
        for (name, path) in [("trashed", ""), ("deleted", "?permanent=true")] {
            let id = owner.file(&format!("secret {name}"), folder, "x").await;
            owner.delete(&format!("/api/v1/files/{id}{path}")).await.expect(StatusCode::NO_CONTENT);
        }
        let id = owner.file("secret moved", folder, "x").await;
        let away = json!({"parentId": "root"});
        owner.patch(&format!("/api/v1/files/{id}"), away).await.expect(StatusCode::OK);
        owner.delete(&format!("/api/v1/files/{id}?permanent=true")).await.expect(StatusCode::NO_CONTENT);
    };
    for folder in [&late, &inside, &private] {
        leaves(folder).await;
    }
    let sub = owner.folder("sub", &first).await;
    let seen = owner.file("seen", &sub, "x").await;
    owner.delete(&format!("/api/v1/files/{seen}")).await.expect(StatusCode::NO_CONTENT);
    server.clock.advance(Duration::from_secs(1));
    // one folder is shared since then, and two have changed places: where something lay when it left is what counts
    let share = give(&late).await;
    for (folder, into) in [(&private, &first), (&sub, &late)] {
        let into = json!({"parentId": into});
        owner.patch(&format!("/api/v1/files/{folder}"), into).await.expect(StatusCode::OK);
    }
    let file = owner.file("open", &inside, "x").await;
    owner.delete(&format!("/api/v1/files/{file}")).await.expect(StatusCode::NO_CONTENT);
    let deeper = owner.file("open too", &private, "x").await;
    owner.delete(&format!("/api/v1/files/{deeper}")).await.expect(StatusCode::NO_CONTENT);
    let mut events = Events::follow(&viewer, Some(&known)).await;
    let mut told = Vec::new();
    while told.last() != Some(&("trashed".to_owned(), "open too".to_owned())) {
        let heard = events.next().await;
        let (word, name) = heard.brief();
        told.push((word.to_owned(), name.to_owned()));
    }
    for name in ["seen", "open"] {
        assert!(told.contains(&("trashed".to_owned(), name.to_owned())), "{told:?}");
    }
    assert!(told.iter().all(|(_, name)| !name.contains("secret")), "{told:?}");
    let away = json!({"parentId": "root"});
    owner.patch(&format!("/api/v1/files/{inside}"), away).await.expect(StatusCode::OK);
    assert_eq!(events.next().await.brief(), ("moved", "inside"));

    // not what left between two shares, either
    let between = events.place.clone();
    drop(events);
    owner.delete(&format!("/api/v1/shares/{share}")).await.expect(StatusCode::NO_CONTENT);
    leaves(&late).await;
    server.clock.advance(Duration::from_secs(1));
    give(&late).await;
    owner.folder("again", &late).await;
    let mut events = Events::follow(&viewer, Some(&between)).await;
    assert_eq!(events.next().await.brief(), ("created", "again"));

    // and nobody chooses where to begin
    let space = server.store.find_space_of(owner.id).await.unwrap().unwrap().id;
    let stolen = Events::follow(&owner, None).await.place;
    for wrong in [format!("{space}-0"), stolen] {
        let request = viewer.request(Method::GET, &format!("/api/v1/events?after={wrong}"));
        answer(request).await.expect_problem(400, "invalid_request");
    }
}

fn reqwest_client() -> reqwest::Client {
    #[expect(clippy::disallowed_methods, reason = "a client as any program has it")]
    reqwest::Client::builder().no_proxy().build().unwrap()
}
