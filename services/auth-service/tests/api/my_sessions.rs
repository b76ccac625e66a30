//! Sessions as their owner manages them.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Server, answer, keys};

const LIST: &str = "/api/v1/users/me/sessions";
const MINUTE: Duration = Duration::from_secs(60);

async fn sessions(server: &Server, token: &str) -> Value {
    answer(server.get(LIST).bearer_auth(token)).await.expect(StatusCode::OK)
}

async fn delete(server: &Server, token: &str, path: &str) -> crate::support::Answer {
    answer(server.request(Method::DELETE, path).bearer_auth(token)).await
}

#[actix_web::test]
async fn an_owner_sees_where_they_are_signed_in() {
    let server = Server::start().await;
    server.classic_token("eve@example.org").await;
    let classic = server.classic_token("bob@example.org").await;
    let login = json!({"email": "bob@example.org", "password": PASSWORD});
    let login = server.post("/api/v1/auth/login", login).header("user-agent", "Browser/1.0");
    let login = answer(login).await.expect(StatusCode::OK);
    let token = login["accessToken"].as_str().unwrap();

    let list = sessions(&server, token).await;
    assert_eq!(keys(&list), ["items", "nextCursor", "total"]);
    assert_eq!((&list["total"], &list["nextCursor"]), (&json!(2), &Value::Null));
    let items = list["items"].as_array().unwrap();
    assert_eq!(
        keys(&items[0]),
        ["address", "createdAt", "current", "device", "expiresAt", "id", "kind", "lastUsedAt"]
    );
    assert_eq!(
        (&items[0]["kind"], &items[0]["device"], &items[0]["address"], &items[0]["current"]),
        (&json!("token"), &json!("Browser/1.0"), &json!("127.0.0.1"), &json!(true))
    );
    assert_eq!((&items[1]["kind"], &items[1]["current"]), (&json!("classic"), &json!(false)));
    assert_eq!(items[0]["lastUsedAt"], items[0]["createdAt"]);
    answer(server.get(LIST)).await.expect_problem(401, "unauthorized");
    assert_eq!(sessions(&server, &classic).await["items"][1]["current"], true);
}

#[actix_web::test]
async fn a_long_list_comes_in_pages() {
    let server = Server::start().await;
    let token = server.classic_token("bob@example.org").await;
    for _ in 0..4 {
        server.token_of("bob@example.org").await;
    }
    let all = sessions(&server, &token).await["items"].as_array().unwrap().clone();
    let (mut seen, mut path) = (Vec::new(), format!("{LIST}?limit=2"));
    loop {
        let page = answer(server.get(&path).bearer_auth(&token)).await.expect(StatusCode::OK);
        assert_eq!(page["total"], 5);
        seen.extend(page["items"].as_array().unwrap().clone());
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("{LIST}?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, all);

    let other = server.classic_token("eve@example.org").await;
    answer(server.get(&path).bearer_auth(&other)).await.expect_problem(400, "invalid_cursor");
    for query in ["limit=0", "limit=1001", "limit=x", "page=1"] {
        let asked = server.get(&format!("{LIST}?{query}")).bearer_auth(&token);
        answer(asked).await.expect_problem(400, "invalid_request");
    }
}

#[actix_web::test]
async fn an_owner_ends_one_session() {
    let server = Server::start().await;
    let (mine, lost) =
        (server.classic_token("bob@example.org").await, server.token_of("bob@example.org").await);
    let stranger = server.classic_token("eve@example.org").await;
    let list = sessions(&server, &mine).await;
    let path = format!("{LIST}/{}", list["items"][0]["id"].as_str().unwrap());

    delete(&server, &stranger, &path).await.expect_problem(404, "not_found");
    assert_eq!(server.me(&lost).await, StatusCode::OK);
    delete(&server, &mine, &path).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(server.me(&lost).await, StatusCode::UNAUTHORIZED);
    assert_eq!(server.me(&mine).await, StatusCode::OK);
    assert_eq!(sessions(&server, &mine).await["total"], 1);
    delete(&server, &mine, &path).await.expect(StatusCode::NO_CONTENT);
    for unknown in ["000000000000000000000fff", "x"] {
        delete(&server, &mine, &format!("{LIST}/{unknown}")).await.expect_problem(404, "not_found");
    }
}

#[actix_web::test]
async fn an_owner_signs_out_everywhere_else() {
    let server = Server::start().await;
    let mine = server.classic_token("bob@example.org").await;
    let other = server.token_of("bob@example.org").await;
    let login = server.login("bob@example.org", PASSWORD).await.expect(StatusCode::OK);
    let stranger = server.classic_token("eve@example.org").await;
    // all of them are cached now
    for token in [&mine, &other, &stranger] {
        assert_eq!(server.me(token).await, StatusCode::OK);
    }
    delete(&server, &mine, LIST).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(server.me(&other).await, StatusCode::UNAUTHORIZED);
    assert_eq!(server.me(login["accessToken"].as_str().unwrap()).await, StatusCode::UNAUTHORIZED);
    let refresh = json!({"refreshToken": login["refreshToken"]});
    answer(server.post("/api/v1/auth/refresh", refresh)).await.expect_problem(401, "invalid_credentials");
    for token in [&mine, &stranger] {
        assert_eq!(server.me(token).await, StatusCode::OK);
    }
    // when the tombstone and everything cached have gone, they are still ended
    server.clock.advance(3 * MINUTE);
    assert_eq!(server.me(&other).await, StatusCode::UNAUTHORIZED);
    assert_eq!(server.me(&mine).await, StatusCode::OK);
}

#[actix_web::test]
async fn what_is_not_known_everywhere_is_not_answered_as_done() {
    let server = Server::start().await;
    let (mine, lost) =
        (server.classic_token("bob@example.org").await, server.token_of("bob@example.org").await);
    let id = sessions(&server, &mine).await["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(server.me(&lost).await, StatusCode::OK);
    server.outage(true);
    for path in [format!("{LIST}/{id}"), LIST.to_owned()] {
        delete(&server, &mine, &path).await.expect_problem(503, "unavailable");
    }
    server.outage(false);
    delete(&server, &mine, &format!("{LIST}/{id}")).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(server.me(&lost).await, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn the_last_use_is_known_to_a_few_minutes() {
    let server = Server::start().await;
    let token = server.classic_token("bob@example.org").await;
    let made = server.now();
    let last_used = async || -> Value {
        server.service.write_session_uses().await.unwrap();
        sessions(&server, &token).await["items"][0]["lastUsedAt"].clone()
    };
    server.clock.advance(2 * MINUTE);
    assert_eq!(server.me(&token).await, StatusCode::OK);
    assert_eq!(last_used().await, json!(made), "not written for each use");
    server.clock.advance(4 * MINUTE);
    let used = server.now();
    assert_eq!(server.me(&token).await, StatusCode::OK);
    assert_eq!(last_used().await, json!(used));
    server.clock.advance(2 * MINUTE);
    assert_eq!(server.me(&token).await, StatusCode::OK);
    assert_eq!(last_used().await, json!(used));
}
