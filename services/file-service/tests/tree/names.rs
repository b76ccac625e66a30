//! Names of every kind, through every call that takes or gives one.

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use crate::support::{Server, answer, id_of, segment};

#[derive(Deserialize)]
struct Sample {
    name: String,
    /// Whether the name may be used.
    ok: bool,
    why: String,
}

/// The collection beside the repository if it is there, else our own.
fn samples() -> Vec<Sample> {
    if let Some(folder) = std::env::var_os("FM_TEST_SAMPLES") {
        let text = std::fs::read_to_string(std::path::Path::new(&folder).join("naughty-names.json")).unwrap();
        let lines = text.lines().filter(|line| line.trim_start().starts_with('{'));
        // half a surrogate pair is no text at all: it has a test of its own
        let lines = lines.filter(|line| !line.contains(r#""\ud800""#));
        return lines.map(|line| serde_json::from_str(line.trim().trim_end_matches(',')).unwrap()).collect();
    }
    let good = [
        "100%",
        "%zz",
        "50%.txt",
        "a%20b",
        "what?.txt",
        "a#b.txt",
        "a&b=c.txt",
        "a;b,c.txt",
        "folder.",
        "folder ",
        " folder",
        "...",
        "CON",
        "a:b*c",
        "<b>.png",
        "日本 🎉.txt",
        "--help",
        "'; DROP TABLE x;--",
        "$(x)",
        "u\u{308}.txt",
        "\u{202e}txt.exe",
    ];
    let bad = ["", ".", "..", "a/b", "a\\b", "a\u{0}b", "a\nb", "\u{7f}"];
    let sample = |name: &str, ok| Sample { name: name.into(), ok, why: "our own list".into() };
    let good = good.iter().map(|name| sample(name, true));
    good.chain(bad.iter().map(|name| sample(name, false))).collect()
}

fn composed(name: &str) -> String {
    common::files::NodeName::parse(name).unwrap().as_str().to_owned()
}

#[actix_web::test]
async fn c001_c002_every_good_name_comes_back_as_it_was_given() {
    let server = Server::start().await;
    let user = server.user("a");
    let all = user.folder("all", "root").await;
    let samples = samples();
    let good: Vec<_> = samples.iter().filter(|sample| sample.ok).collect();
    assert!(good.len() > 15);
    let mut expected = Vec::new();
    for (n, sample) in good.iter().enumerate() {
        let (name, nfc) = (&sample.name, composed(&sample.name));
        // one folder each, since two samples may differ in normalisation alone
        let home = user.folder(&format!("home{n}"), "root").await;
        let folder = id_of(
            &user
                .post("/api/v1/files", json!({"name": name, "parentId": home}))
                .await
                .expect(StatusCode::CREATED),
        );
        assert_eq!(
            user.get(&format!("/api/v1/files/{folder}")).await.expect(StatusCode::OK)["name"],
            nfc,
            "{}",
            sample.why
        );
        let inside = user.file(name, &folder, format!("content {n}")).await;
        assert_eq!(user.names(&folder).await, [nfc.as_str()], "{}", sample.why);
        let content = user.get(&format!("/api/v1/files/{inside}/content")).await;
        assert_eq!(
            (content.status, content.text()),
            (StatusCode::OK, &*format!("content {n}")),
            "{}",
            sample.why
        );
        // classic
        let file = user
            .post("/files", json!({"name": name, "type": "file", "parentId": home, "data": "eA=="}))
            .await;
        let file = file.expect(StatusCode::CREATED);
        assert_eq!(file["name"], nfc, "the classic API gives the name back, taken or not: {}", sample.why);
        // by a path, unless a step of it
        let path = format!("p/{name}");
        let by_path = user.post("/api/v1/files", json!({"path": path, "parentId": home})).await;
        assert_eq!(by_path.expect(StatusCode::CREATED)["name"], nfc);
        // rename away and back, move, trash, restore
        let at = format!("/api/v1/files/{inside}");
        user.patch(&at, json!({"name": "plain"})).await.expect(StatusCode::OK);
        assert_eq!(user.patch(&at, json!({ "name": name })).await.expect(StatusCode::OK)["name"], nfc);
        user.delete(&at).await.expect(StatusCode::NO_CONTENT);
        let restored = user.post(&format!("{at}/restore"), json!({})).await.expect(StatusCode::OK);
        assert_eq!((&restored["name"], &restored["parentId"]), (&json!(nfc), &json!(folder)));
        if !expected.contains(&nfc) {
            user.patch(&format!("/api/v1/files/{folder}"), json!({ "parentId": all }))
                .await
                .expect(StatusCode::OK);
            expected.push(nfc);
        }
    }
    let mut names = user.names(&all).await;
    names.sort_unstable();
    expected.sort_unstable();
    assert_eq!(names, expected, "one odd name hides no other");
}

#[actix_web::test]
async fn every_bad_name_is_refused_by_every_call() {
    let server = Server::start().await;
    let user = server.user("a");
    let id = user.folder("plain", "root").await;
    let mut bad: Vec<_> =
        samples().into_iter().filter(|sample| !sample.ok).map(|sample| sample.name).collect();
    bad.push("x".repeat(256));
    for name in bad {
        for body in [json!({ "name": name }), json!({ "name": name, "parentId": id })] {
            let problem = user.post("/api/v1/files", body).await.expect_problem(400, "invalid_name");
            assert_eq!(problem["errors"][0]["pointer"], "/name");
        }
        let renamed = user.patch(&format!("/api/v1/files/{id}"), json!({ "name": name })).await;
        renamed.expect_problem(400, "invalid_name");
        let classic = user.post("/files", json!({"name": name, "type": "folder"})).await;
        classic.expect_classic(400, if name.is_empty() { "Missing name" } else { "Invalid name" });
        // in an address these are other addresses, or no segment at all
        if !matches!(&*name, "" | "." | "..") {
            let path = format!("/api/v1/files/root/children/{}/content", segment(&name));
            let uploaded = answer(user.request(Method::PUT, &path).body("x")).await;
            assert!(uploaded.status.is_client_error(), "{name:?}: {}", uploaded.status);
        }
    }
    assert_eq!(user.names("root").await, ["plain"]);
}

#[actix_web::test]
async fn c005_a_name_works_in_both_normalisations() {
    let server = Server::start().await;
    let user = server.user("a");
    let id = user.file("u\u{308}.txt", "root", "x").await;
    assert_eq!(user.names("root").await, ["ü.txt"]);
    for same in ["ü.txt", "u\u{308}.txt"] {
        let taken =
            user.post("/api/v1/files", json!({ "name": same })).await.expect_problem(409, "name_taken");
        assert_eq!(taken["existingId"], id);
        let renamed = user.patch(&format!("/api/v1/files/{id}"), json!({ "name": same })).await;
        assert_eq!(renamed.expect(StatusCode::OK)["name"], "ü.txt");
    }
}

#[actix_web::test]
async fn c007_c008_names_that_differ_in_spaces_and_dots_are_different() {
    let server = Server::start().await;
    let user = server.user("a");
    let names = ["folder", "folder.", "folder ", " folder", "foo.txt", "foo.txt ", "foo .txt"];
    let mut ids = Vec::new();
    for name in names {
        ids.push(user.folder(name, "root").await);
    }
    let mut listed = user.names("root").await;
    listed.sort_unstable();
    let mut sorted = names.to_vec();
    sorted.sort_unstable();
    assert_eq!(listed, sorted);
    user.patch(&format!("/api/v1/files/{}", ids[5]), json!({"name": "other"})).await.expect(StatusCode::OK);
    user.delete(&format!("/api/v1/files/{}", ids[6])).await.expect(StatusCode::NO_CONTENT);
    let listed = user.names("root").await;
    assert!(
        ["folder", "folder.", "folder ", " folder", "foo.txt", "other"]
            .iter()
            .all(|name| listed.contains(&(*name).to_owned()))
    );
    assert_eq!(listed.len(), 6);
}

#[actix_web::test]
async fn c010_c011_the_limit_is_255_bytes() {
    let server = Server::start().await;
    let user = server.user("a");
    let longest = format!("{}.txt", "n".repeat(251));
    let two_byte = format!("{}a", "é".repeat(127));
    for name in [&longest, &two_byte] {
        user.file(name, "root", "x").await;
        let made = user.post("/files", json!({"name": name, "type": "file", "data": "eA=="})).await;
        assert_eq!(made.expect(StatusCode::CREATED)["name"], *name, "also where a free name had to be found");
    }
    let too_long = "é".repeat(128);
    let problem =
        user.post("/api/v1/files", json!({ "name": too_long })).await.expect_problem(400, "invalid_name");
    assert!(problem["detail"].as_str().unwrap().contains("255"), "{problem}");
    assert_eq!(user.get("/api/v1/files/root").await.expect(StatusCode::OK)["childCount"], 4);
}

#[actix_web::test]
async fn c014_odd_names_open_at_every_depth() {
    let server = Server::start().await;
    let user = server.user("a");
    let made = user.post("/api/v1/files", json!({"path": "My Folder (1)/[x] {y}/a;b=c"})).await;
    let deepest = id_of(&made.expect(StatusCode::CREATED));
    let way = user.get(&format!("/api/v1/files/{deepest}/path")).await.expect(StatusCode::OK);
    for step in way["items"].as_array().unwrap() {
        user.get(&format!("/api/v1/files/{}/children", step["id"].as_str().unwrap()))
            .await
            .expect(StatusCode::OK);
    }
}

#[actix_web::test]
async fn half_a_surrogate_pair_is_400() {
    let server = Server::start().await;
    let user = server.user("a");
    let send = async |path: &str| {
        let request = user.request(Method::POST, path).header("content-type", "application/json");
        answer(request.body(r#"{"name": "\ud800", "type": "folder"}"#)).await
    };
    send("/api/v1/files").await.expect_problem(400, "invalid_json");
    send("/files").await.expect_classic(400, "Invalid JSON");
    assert_eq!(user.names("root").await, [""; 0]);
}
