//! Another address for an account.

use common::auth::AuthStore as _;
use common::auth::mail::{AccountEvent, AccountMail, MailContent};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, Server, answer};

async fn change(server: &Server, token: &str, new: &str, password: &str) -> Answer {
    let body = json!({"new": new, "password": password});
    answer(server.post("/api/v1/users/me/email", body).bearer_auth(token)).await
}

async fn confirm(server: &Server, token: &str, body: Value) -> Answer {
    answer(server.post("/api/v1/users/me/email/confirm", body).bearer_auth(token)).await
}

/// The codes of the last two mails: to the new address, and to the old one.
async fn codes(server: &Server) -> (String, String) {
    let mails = server.mails().await;
    let [.., AccountMail { content: MailContent::ConfirmNewAddress { code: new }, .. }, old] = &mails[..]
    else {
        panic!("two mails")
    };
    let MailContent::ConfirmOldAddress { code: old, .. } = &old.content else { panic!("a code") };
    (new.clone(), old.clone())
}

#[actix_web::test]
async fn an_address_changes_by_the_codes_of_both() {
    let server = Server::start().await;
    let token = server.classic_token("bob@example.org").await;
    change(&server, &token, "new@example.org", "wrong").await.expect_problem(403, "wrong_password");
    change(&server, &token, "no mailbox", PASSWORD).await.expect_problem(400, "invalid_request");
    change(&server, &token, "New@Example.org", PASSWORD).await.expect(StatusCode::ACCEPTED);
    let to: Vec<_> = server.mails().await.into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, ["New@Example.org", "bob@example.org"]);
    let (new, old) = codes(&server).await;
    for wrong in [
        json!({ "newCode": new }),
        json!({"newCode": old, "oldCode": new}),
        json!({"newCode": new, "oldCode": new}),
        json!({"newCode": "X", "oldCode": old}),
    ] {
        confirm(&server, &token, wrong).await.expect_problem(403, "invalid_code");
    }
    let stranger = server.classic_token("eve@example.org").await;
    let right = json!({"newCode": new, "oldCode": old});
    confirm(&server, &stranger, right.clone()).await.expect_problem(403, "invalid_code");
    let me = confirm(&server, &token, right.clone()).await.expect(StatusCode::OK);
    assert_eq!((&me["email"], &me["verified"]), (&json!("New@Example.org"), &json!(true)));
    confirm(&server, &token, right).await.expect_problem(403, "invalid_code");
    server.login("new@example.org", PASSWORD).await.expect(StatusCode::OK);
    server.login("bob@example.org", PASSWORD).await.expect_problem(401, "invalid_credentials");
    let told: Vec<_> = server
        .mails()
        .await
        .into_iter()
        .filter(|mail| {
            matches!(&mail.content, MailContent::Notice { event: AccountEvent::AddressChanged, .. })
        })
        .map(|mail| mail.to)
        .collect();
    assert_eq!(told, ["bob@example.org", "New@Example.org"]);
}

#[actix_web::test]
async fn asking_tells_nothing_about_whose_the_address_is() {
    let server = Server::start().await;
    let token = server.classic_token("bob@example.org").await;
    server.sign_up("eve@example.org", PASSWORD).await.expect(StatusCode::CREATED);
    change(&server, &token, "free@example.org", PASSWORD).await.expect(StatusCode::ACCEPTED);
    change(&server, &token, "EVE@example.org", PASSWORD).await.expect(StatusCode::ACCEPTED);
    let mails = server.mails().await;
    assert_eq!(mails.len(), 4);
    assert!(matches!(&mails[2].content, MailContent::AddressInUse));
}

#[actix_web::test]
async fn whoever_is_first_has_the_address() {
    let server = Server::start().await;
    let token = server.classic_token("bob@example.org").await;
    change(&server, &token, "one@example.org", PASSWORD).await.expect(StatusCode::ACCEPTED);
    let (new, old) = codes(&server).await;
    server.sign_up("ONE@example.org", PASSWORD).await.expect(StatusCode::CREATED);
    let body = json!({"newCode": new, "oldCode": old});
    confirm(&server, &token, body).await.expect_problem(409, "address_taken");
    server.login("bob@example.org", PASSWORD).await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn an_address_that_is_no_mailbox_needs_one_code() {
    let server = Server::start().await;
    let token = server.classic_token("bob").await;
    change(&server, &token, "bob@example.org", PASSWORD).await.expect(StatusCode::ACCEPTED);
    let mail = server.mails().await.pop().unwrap();
    let MailContent::ConfirmNewAddress { code } = mail.content else { panic!("a code") };
    confirm(&server, &token, json!({ "newCode": code })).await.expect(StatusCode::OK);
    let key = common::auth::Address::parse("bob@example.org").unwrap().key();
    assert!(server.store.find_user_by_address(&key).await.unwrap().is_some());
}
