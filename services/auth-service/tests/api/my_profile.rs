//! Name and preferences.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, Server, answer};

const ME: &str = "/api/v1/users/me";

async fn patch(server: &Server, token: &str, body: Value) -> Answer {
    answer(server.request(Method::PATCH, ME).bearer_auth(token).json(&body)).await
}

#[actix_web::test]
async fn a_profile_is_changed_in_parts() {
    let server = Server::start().await;
    let token = server.classic_token("bob@example.org").await;
    let me = answer(server.get(ME).bearer_auth(&token)).await.expect(StatusCode::OK);
    assert_eq!((&me["name"], &me["preferences"]), (&Value::Null, &json!({})));
    let body = json!({"name": " Bob ", "preferences": {"theme": "dark", "views": {"root": {"layout": "grid", "sort": "size"}}}});
    let me = patch(&server, &token, body).await.expect(StatusCode::OK);
    assert_eq!(me["name"], "Bob");
    let body = json!({"preferences": {"language": "de-CH", "views": {"root": {"sort": null}}}});
    let me = patch(&server, &token, body).await.expect(StatusCode::OK);
    assert_eq!(me["name"], "Bob", "what is not named stays");
    assert_eq!(
        me["preferences"],
        json!({"language": "de-CH", "theme": "dark", "views": {"root": {"layout": "grid"}}})
    );
    let me = patch(&server, &token, json!({"name": null, "preferences": {"theme": null}})).await;
    let me = me.expect(StatusCode::OK);
    assert_eq!((&me["name"], &me["preferences"]["theme"]), (&Value::Null, &Value::Null));
    assert_eq!(answer(server.get(ME).bearer_auth(&token)).await.expect(StatusCode::OK), me);
}

#[actix_web::test]
async fn what_makes_no_sense_is_refused_by_name() {
    let server = Server::start().await;
    let token = server.classic_token("bob@example.org").await;
    for (body, pointer) in [
        (json!({"name": "x".repeat(101)}), "/name"),
        (json!({"name": "a\nb"}), "/name"),
        (json!({"preferences": {"theme": "pink"}}), "/preferences/theme"),
        (json!({"preferences": {"other": 1}}), "/preferences/"),
        (json!({"email": "x@y"}), "/email"),
    ] {
        let problem = patch(&server, &token, body).await.expect_problem(400, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    // many folders are too much at some time
    for n in 0..2 {
        let views: serde_json::Map<_, _> = (0..150)
            .map(|m| (format!("{n:08x}{m:016x}"), json!({"layout": "grid", "sort": "name"})))
            .collect();
        let answer = patch(&server, &token, json!({"preferences": {"views": views}})).await;
        if n == 0 {
            answer.expect(StatusCode::OK);
        } else {
            answer.expect_problem(400, "invalid_request");
        }
    }
    answer(server.request(Method::PATCH, ME).json(&json!({}))).await.expect_problem(401, "unauthorized");
}

#[actix_web::test]
async fn a_change_can_be_bound_to_what_was_seen() {
    let server = Server::start().await;
    let token = server.classic_token("bob@example.org").await;
    let etag = || async {
        let me = answer(server.get(ME).bearer_auth(&token)).await;
        me.header("etag").unwrap().to_owned()
    };
    let seen = etag().await;
    let unchanged = server.get(ME).bearer_auth(&token).header("if-none-match", &seen);
    assert_eq!(answer(unchanged).await.status, StatusCode::NOT_MODIFIED);
    let bound = |tag: &str, name: &str| {
        let request = server.request(Method::PATCH, ME).bearer_auth(&token).header("if-match", tag);
        answer(request.json(&json!({ "name": name })))
    };
    let changed = bound(&seen, "Bob").await;
    changed.expect(StatusCode::OK);
    assert_eq!(changed.header("etag"), Some(&*etag().await));
    bound(&seen, "Robert").await.expect_problem(412, "precondition_failed");
    bound("*", "Robert").await.expect(StatusCode::OK);
    // changes at the same time all count
    let both = futures_util::future::join(
        patch(&server, &token, json!({"name": "A"})),
        patch(&server, &token, json!({"preferences": {"theme": "light"}})),
    )
    .await;
    both.0.expect(StatusCode::OK);
    both.1.expect(StatusCode::OK);
    let me = answer(server.get(ME).bearer_auth(&token)).await.expect(StatusCode::OK);
    assert_eq!((&me["name"], &me["preferences"]["theme"]), (&json!("A"), &json!("light")));
}
