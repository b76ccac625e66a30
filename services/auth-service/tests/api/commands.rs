//! The administrator's commands about accounts.

use std::collections::BTreeSet;

use auth_service::{
    AdminCommand, AdminCommandError, AdminError, Administration, AuditCommand, GroupsCommand,
    InvitationsCommand, KeysCommand, Limit, RoleWord, StateWord, UsersCommand,
};
use clap::Subcommand as _;
use common::auth::PasswordRules;
use common::auth::mail::{AccountEvent, MailContent};
use common::{GroupId, InvitationId};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::second_factor::enrolled;
use crate::support::{PASSWORD, Server, answer, run_command};

async fn run(server: &Server, command: UsersCommand, password: &str) -> Result<String, AdminCommandError> {
    server.command(AdminCommand::Users(command), password).await
}

fn email(text: &str) -> String {
    text.to_owned()
}

fn create(email: String) -> UsersCommand {
    UsersCommand::Create { email, role: RoleWord::User, verified: false }
}

fn list(search: Option<&str>) -> UsersCommand {
    UsersCommand::List { search: search.map(str::to_owned), role: None, state: None }
}

#[actix_web::test]
async fn accounts_are_made_listed_and_changed() {
    let server = Server::start().await;
    server.administrator().await;
    let run = async |command| run(&server, command, PASSWORD).await;
    let made = run(create(email("Bob@b"))).await.unwrap();
    assert!(made.starts_with("account ") && made.ends_with(" made\n"), "{made}");
    let listed = run(list(None)).await.unwrap();
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let listed = run(list(Some("BOB"))).await.unwrap();
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
        run_command(&administration(), AdminCommand::Users(command), password).await
    };
    let bob = || email("bob@example.org");
    let weak = run(UsersCommand::ResetPassword { email: bob() }, "another password").await.unwrap_err();
    assert!(weak.to_string().contains("20 characters"), "{weak}");
    let weak = create(email("ann@b"));
    assert!(run(weak, "another password").await.unwrap_err().is_usage());
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
    let taken = run(&server, create(email("ROOT@b")), PASSWORD).await.unwrap_err();
    assert!(matches!(taken, AdminCommandError::Refused(AdminError::AddressTaken)), "{taken}");
    assert!(refused.is_usage() && unknown.is_usage() && taken.is_usage());
}

/// What administrators do by the API, and the commands that do the same.
const ACTS: &[(&str, &[&str])] = &[
    ("listAccounts", &["users list"]),
    ("createAccount", &["users create"]),
    ("getAccount", &["users show"]),
    (
        "updateAccount",
        &[
            "users disable",
            "users enable",
            "users role",
            "users quota",
            "users sign-out",
            "users reset-second-factor",
        ],
    ),
    ("deleteAccount", &["users delete"]),
    ("listInvitations", &["invitations list"]),
    ("createInvitation", &["invitations create"]),
    ("deleteInvitation", &["invitations withdraw"]),
    ("rotateKeys", &["keys rotate"]),
    ("listAudit", &["audit"]),
    ("listGroups", &["groups list"]),
    ("createGroup", &["groups create"]),
    ("getGroup", &["groups show"]),
    ("updateGroup", &["groups rename", "groups members"]),
    ("deleteGroup", &["groups delete"]),
];

/// What a command alone does: there is no first administrator to ask the API, and nobody but an owner sets a password by it.
const COMMANDS_ALONE: [&str; 2] = ["create", "users reset-password"];

/// Commands without commands below them.
fn leaves(command: &clap::Command, path: &str) -> Vec<String> {
    let below: Vec<_> = command.get_subcommands().collect();
    if below.is_empty() {
        return vec![path.to_owned()];
    }
    below.into_iter().flat_map(|one| leaves(one, format!("{path} {}", one.get_name()).trim())).collect()
}

#[test]
fn every_act_of_administrators_has_a_command() {
    let document = serde_json::to_value(auth_service::openapi()).unwrap();
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap());
    let of_administrators = |operation: &Value| {
        let tag = operation["tags"][0].as_str().unwrap();
        // whom people share with, they look up themselves
        tag == "administration" || (tag == "groups" && operation["operationId"] != "findPeople")
    };
    let acts: BTreeSet<_> = operations
        .map(|(_, operation)| operation)
        .filter(|operation| of_administrators(operation))
        .map(|operation| operation["operationId"].as_str().unwrap().to_owned())
        .collect();
    let named: BTreeSet<_> = ACTS.iter().map(|(act, _)| (*act).to_owned()).collect();
    assert_eq!(named, acts, "what the API does, and what is named here");
    let there: BTreeSet<_> =
        leaves(&AdminCommand::augment_subcommands(clap::Command::new("admin")), "").into_iter().collect();
    let named = ACTS.iter().flat_map(|(_, commands)| commands.iter()).chain(&COMMANDS_ALONE);
    assert_eq!(named.map(|&one| one.to_owned()).collect::<BTreeSet<_>>(), there);
}

#[actix_web::test]
async fn accounts_are_filtered_signed_out_shown_and_deleted() {
    let server = Server::start().await;
    server.administrator().await;
    let run = async |command| run(&server, command, PASSWORD).await;
    run(create(email("bob@b"))).await.unwrap();
    let session = server.token_of_v1("bob@b").await;
    assert_eq!(server.me(&session).await, StatusCode::OK);
    run(UsersCommand::SignOut { email: email("bob@b") }).await.unwrap();
    assert_eq!(server.me(&session).await, StatusCode::UNAUTHORIZED);
    let shown = run(UsersCommand::Show { email: email("bob@b") }).await.unwrap();
    assert!(shown.contains("\tbob@b\n5 bytes of no limit, 1 files and folders\n"), "{shown}");
    run(UsersCommand::Disable { email: email("bob@b") }).await.unwrap();
    let filtered = async |role, state| {
        let list = UsersCommand::List { search: None, role, state };
        let listed = run(list).await.unwrap();
        listed.lines().map(|line| line.rsplit('\t').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(filtered(Some(RoleWord::Admin), None).await, ["root@b"]);
    assert_eq!(filtered(None, Some(StateWord::Disabled)).await, ["bob@b"]);
    assert_eq!(filtered(Some(RoleWord::Admin), Some(StateWord::Disabled)).await, [] as [&str; 0]);
    run(UsersCommand::Delete { email: email("bob@b") }).await.unwrap();
    let gone = run(UsersCommand::Delete { email: email("bob@b") }).await.unwrap_err();
    assert!(matches!(gone, AdminCommandError::Refused(AdminError::NotFound)), "{gone}");
    server.login("bob@b", PASSWORD).await.expect_problem(401, "invalid_credentials");
}

#[actix_web::test]
async fn invitations_are_made_in_the_name_of_an_administrator_and_withdrawn() {
    let server = Server::start().await;
    server.administrator().await;
    run(&server, create(email("bob@b")), PASSWORD).await.unwrap();
    let run = async |command| server.command(AdminCommand::Invitations(command), "").await;
    let make = |by: &str, to: Option<&str>| InvitationsCommand::Create {
        by: email(by),
        email: to.map(str::to_owned),
        role: RoleWord::User,
        days: 1,
    };
    for (by, to) in [("bob@b", None), ("nobody@b", None), ("root@b", Some("no mailbox"))] {
        assert!(run(make(by, to)).await.unwrap_err().is_usage(), "{by} {to:?}");
    }
    let made = run(make("root@b", Some("ann@b"))).await.unwrap();
    let code = made.trim_end().rsplit(' ').next().unwrap();
    let mail = server.mails().await.pop().unwrap();
    assert!(
        matches!(&mail.content, MailContent::Invitation { code: mailed, .. } if mailed == code),
        "{made}"
    );
    let register = json!({"email": "ann@b", "password": PASSWORD, "invitation": code});
    answer(server.post("/api/v1/auth/register", register)).await.expect(StatusCode::CREATED);

    let made = run(make("root@b", None)).await.unwrap();
    let id: InvitationId = made.split(' ').nth(1).unwrap().parse().unwrap();
    let listed = run(InvitationsCommand::List).await.unwrap();
    assert!(listed.starts_with(&format!("{id}\tuser\t")) && listed.lines().count() == 1, "{listed}");
    run(InvitationsCommand::Withdraw { id }).await.unwrap();
    assert!(run(InvitationsCommand::Withdraw { id }).await.unwrap_err().is_usage());
    assert_eq!(run(InvitationsCommand::List).await.unwrap(), "");
}

#[actix_web::test]
async fn groups_are_made_changed_and_deleted_by_commands() {
    let server = Server::start().await;
    server.administrator().await;
    run(&server, create(email("bob@b")), PASSWORD).await.unwrap();
    let run = async |command| server.command(AdminCommand::Groups(command), "").await;
    let make = |name: &str, members: &[&str]| GroupsCommand::Create {
        name: name.to_owned(),
        members: members.iter().map(|member| email(member)).collect(),
    };
    for (name, members) in [(" ", &["bob@b"][..]), ("Friends", &["nobody@b"])] {
        assert!(run(make(name, members)).await.unwrap_err().is_usage(), "{name}");
    }
    let made = run(make("Friends", &["bob@b", "root@b", "BOB@b"])).await.unwrap();
    let id: GroupId = made.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(run(make("FRIENDS", &[])).await.unwrap_err().is_usage());
    let listed = run(GroupsCommand::List).await.unwrap();
    assert!(listed.starts_with(&format!("{id}\t2\t")) && listed.ends_with("\tFriends\n"), "{listed}");
    run(GroupsCommand::Rename { id, name: "Choir".to_owned() }).await.unwrap();
    run(GroupsCommand::Members { id, members: vec![email("bob@b")] }).await.unwrap();
    assert!(run(GroupsCommand::Show { id }).await.unwrap().ends_with("\tbob@b\n"));
    run(GroupsCommand::Delete { id }).await.unwrap();
    for gone in [GroupsCommand::Delete { id }, GroupsCommand::Show { id }] {
        assert!(run(gone).await.unwrap_err().is_usage());
    }
}

#[actix_web::test]
async fn the_log_is_printed_line_by_line_and_keys_are_rotated() {
    let server = Server::start().await;
    server.administrator().await;
    let bob = server.classic_token("bob@b").await;
    let keys = async |compromised| {
        let rotate = AdminCommand::Keys(KeysCommand::Rotate { compromised });
        server.command(rotate, "").await.unwrap()
    };
    let made = keys(false).await;
    assert!(made.starts_with("signing key ") && made.ends_with(" made\n"), "{made}");
    assert_eq!(server.me(&bob).await, StatusCode::OK);
    keys(true).await;
    assert_eq!(
        server.me(&bob).await,
        StatusCode::UNAUTHORIZED,
        "what the old key signed is good for nothing"
    );

    let audit = async |which: AuditCommand| -> Vec<Value> {
        let text = server.command(AdminCommand::Audit(which), "").await.unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let rotated = AuditCommand { action: Some("keys.rotated".to_owned()), ..AuditCommand::default() };
    let rotated = audit(rotated).await;
    assert_eq!(rotated.len(), 2);
    assert_eq!((&rotated[0]["actor"], &rotated[0]["details"]["compromised"]), (&Value::Null, &json!(true)));
    let of_bob = audit(AuditCommand { actor: Some(email("bob@b")), ..AuditCommand::default() }).await;
    assert!(of_bob.iter().all(|line| line["actor"] == of_bob[0]["actor"]) && of_bob.len() == 2, "{of_bob:?}");
    let by_id = of_bob[0]["actor"].as_str().map(str::to_owned);
    assert_eq!(audit(AuditCommand { actor: by_id, ..AuditCommand::default() }).await, of_bob);
    let later = Some(server.now() + std::time::Duration::from_secs(1));
    assert!(audit(AuditCommand { from: later, ..AuditCommand::default() }).await.is_empty());
    assert_eq!(
        audit(AuditCommand { to: later, ..AuditCommand::default() }).await,
        audit(AuditCommand::default()).await
    );
}
