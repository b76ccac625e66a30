//! The administrator's commands about accounts.

use auth_service::{
    AdminCommand, AdminCommandError, AdminError, Administration, Limit, RoleWord, UsersCommand,
};
use common::auth::PasswordRules;
use common::auth::mail::{AccountEvent, MailContent};
use reqwest::StatusCode;
use serde_json::json;

use crate::second_factor::enrolled;
use crate::support::{PASSWORD, Server};

async fn run(server: &Server, command: UsersCommand, password: &str) -> Result<String, AdminCommandError> {
    let (administration, password) = (server.administration(), password.to_owned());
    AdminCommand::Users(command).run(&administration, move || Ok(password)).await
}

fn email(text: &str) -> String {
    text.to_owned()
}

#[actix_web::test]
async fn accounts_are_made_listed_and_changed() {
    let server = Server::start().await;
    server.administrator().await;
    let run = async |command| run(&server, command, PASSWORD).await;
    let made = run(UsersCommand::Create { email: email("Bob@b"), role: RoleWord::User }).await.unwrap();
    assert!(made.starts_with("account ") && made.ends_with(" made\n"), "{made}");
    let listed = run(UsersCommand::List { search: None }).await.unwrap();
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let listed = run(UsersCommand::List { search: Some("BOB".to_owned()) }).await.unwrap();
    let columns: Vec<_> = listed.trim_end().split('\t').collect();
    assert_eq!(columns[1..], ["user", "active", "2026-01-01T00:00:00.000Z", "Bob@b"]);

    let session = server.token_of_v1("bob@b").await;
    assert_eq!(server.me(&session).await, StatusCode::OK);
    run(UsersCommand::Disable { email: email("bob@b") }).await.unwrap();
    assert_eq!(server.me(&session).await, StatusCode::UNAUTHORIZED);
    run(UsersCommand::Enable { email: email("bob@b") }).await.unwrap();
    let role = run(UsersCommand::Role { email: email("bob@b"), role: RoleWord::Admin }).await.unwrap();
    assert!(role.ends_with("has the role admin\n"), "{role}");
    let quota = UsersCommand::Quota { email: email("bob@b"), bytes: "1000".parse().unwrap() };
    assert!(run(quota).await.unwrap().ends_with("has a limit of 1000 bytes\n"));
    let lifted = UsersCommand::Quota { email: email("bob@b"), bytes: "none".parse().unwrap() };
    assert!(run(lifted).await.unwrap().ends_with("has no limit\n"));
    assert!("much".parse::<Limit>().is_err());
}

#[actix_web::test]
async fn a_password_is_reset() {
    let server = Server::start().await;
    let session = server.classic_token("bob@b").await;
    let reset = || UsersCommand::ResetPassword { email: email("bob@b") };
    let weak = run(&server, reset(), "short").await.unwrap_err();
    assert!(weak.is_usage(), "{weak}");
    assert_eq!(server.me(&session).await, StatusCode::OK);
    let (_, token) = server.api_token(&session, json!({"name": "a", "scopes": ["files:read"]})).await;
    run(&server, reset(), "another password").await.unwrap();
    assert_eq!(server.me(&token).await, StatusCode::UNAUTHORIZED);
    assert_eq!(server.me(&session).await, StatusCode::UNAUTHORIZED);
    server.login("bob@b", PASSWORD).await.expect_problem(401, "invalid_credentials");
    server.login("bob@b", "another password").await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn the_command_keeps_to_the_settings_and_tells_the_owner() {
    let server = Server::start().await;
    let (session, _, _) = enrolled(&server).await;
    let administration =
        || Administration { password_rules: PasswordRules { min_chars: 20 }, ..server.administration() };
    let run = async |command: UsersCommand, password: &'static str| {
        AdminCommand::Users(command).run(&administration(), move || Ok(password.to_owned())).await
    };
    let bob = || email("bob@example.org");
    let weak = run(UsersCommand::ResetPassword { email: bob() }, "another password").await.unwrap_err();
    assert!(weak.to_string().contains("20 characters"), "{weak}");
    let create = UsersCommand::Create { email: email("ann@b"), role: RoleWord::User };
    assert!(run(create, "another password").await.unwrap_err().is_usage());
    let told = async || match server.mails().await.pop().map(|mail| (mail.to, mail.content)) {
        Some((to, MailContent::Notice { event, .. })) => (to, event),
        _ => panic!("a notice"),
    };
    let long = "another password, but a longer one";
    run(UsersCommand::ResetPassword { email: bob() }, long).await.unwrap();
    assert_eq!(told().await, (bob(), AccountEvent::PasswordSet { identities_ended: false }));
    run(UsersCommand::ResetSecondFactor { email: bob() }, "").await.unwrap();
    assert_eq!(told().await, (bob(), AccountEvent::SecondFactorOff));
    server.login("bob@example.org", long).await.expect(StatusCode::OK);
    assert_eq!(server.me(&session).await, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn what_is_refused_changes_nothing() {
    let server = Server::start().await;
    server.administrator().await;
    let refused = run(&server, UsersCommand::Disable { email: email("root@b") }, PASSWORD).await.unwrap_err();
    assert!(matches!(refused, AdminCommandError::Refused(AdminError::LastAdministrator)), "{refused}");
    let unknown = run(&server, UsersCommand::Enable { email: email("eve@b") }, PASSWORD).await.unwrap_err();
    assert!(matches!(unknown, AdminCommandError::Refused(AdminError::NotFound)), "{unknown}");
    let create = UsersCommand::Create { email: email("ROOT@b"), role: RoleWord::User };
    let taken = run(&server, create, PASSWORD).await.unwrap_err();
    assert!(matches!(taken, AdminCommandError::Refused(AdminError::AddressTaken)), "{taken}");
    assert!(refused.is_usage() && unknown.is_usage() && taken.is_usage());
}
