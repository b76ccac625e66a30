//! How many files somebody adds by a link.

use std::time::Duration;

use http_kit::TrustedProxies;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Client, Server, answer};

async fn token(owner: &Client<'_>, folder: &str, role: &str) -> String {
    let made = owner.post(&format!("/api/v1/files/{folder}/links"), json!({"role": role})).await;
    made.expect(StatusCode::CREATED)["token"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn files_that_come_by_a_link_are_limited_by_link_and_address() {
    let server = Server::with(|settings| {
        settings.most_drops_at_once = 3;
        settings.trusted_proxies = TrustedProxies::parse(["127.0.0.1"]).unwrap();
    })
    .await;
    let owner = server.user("owner");
    let folder = owner.folder("f", "root").await;
    let viewer = token(&owner, &folder, "viewer").await;
    let put = async |token: &str, address: &str, name: &str| {
        let path = format!("/api/v1/public/{token}/children/{name}/content");
        answer(server.request(Method::PUT, &path).header("x-forwarded-for", address).body("x")).await
    };
    for (role, of_role) in [("dropper", "d"), ("editor", "e")] {
        let (one, other) = (token(&owner, &folder, role).await, token(&owner, &folder, role).await);
        let name = |number: u32| format!("{of_role}{number}");
        // what may not come at all takes nothing from others
        put(&viewer, "2001:db8::1", &name(0)).await.expect_problem(403, "forbidden");
        for number in 1..=3 {
            put(&one, "2001:db8::1", &name(number)).await.expect(StatusCode::CREATED);
        }
        // one customer has many addresses
        for address in ["2001:db8::1", "2001:db8::2"] {
            let refused = put(&one, address, &name(4)).await;
            refused.expect_problem(429, "rate_limited");
            assert_eq!(refused.header("retry-after"), Some("1"));
        }
        put(&one, "2001:db8:0:1::1", &name(5)).await.expect(StatusCode::CREATED);
        put(&other, "2001:db8::1", &name(6)).await.expect(StatusCode::CREATED);
        server.clock.advance(Duration::from_secs(1));
        put(&one, "2001:db8::1", &name(7)).await.expect(StatusCode::CREATED);
        put(&one, "2001:db8::1", &name(8)).await.expect_problem(429, "rate_limited");
    }
    assert_eq!(
        owner.names(&folder).await,
        ["d1", "d2", "d3", "d5", "d6", "d7", "e1", "e2", "e3", "e5", "e6", "e7"]
    );
    // its owner is not limited
    for number in 0..5 {
        owner.file(&number.to_string(), &folder, "x").await;
    }
}
