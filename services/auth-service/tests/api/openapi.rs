//! The service's part of the OpenAPI document.

use common::routes::{Service, owner};
use http_kit::openapi::merge;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{PASSWORD, Server, answer, keys};

fn document() -> Value {
    serde_json::to_value(merge([(Service::Auth, auth_service::openapi())]).unwrap()).unwrap()
}

#[test]
fn every_public_path_is_documented_and_ours() {
    let document = document();
    let mut operations: Vec<_> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(move |method| format!("{method} {path}"))
        })
        .collect();
    operations.sort();
    assert_eq!(
        operations,
        [
            "delete /api/v1/admin/invitations/{id}",
            "delete /api/v1/admin/users/{id}",
            "delete /api/v1/groups/{id}",
            "delete /api/v1/users/me",
            "delete /api/v1/users/me/identities/{id}",
            "delete /api/v1/users/me/sessions",
            "delete /api/v1/users/me/sessions/{id}",
            "delete /api/v1/users/me/tokens/{id}",
            "delete /api/v1/users/me/totp",
            "get /.well-known/jwks.json",
            "get /api/v1/admin/audit",
            "get /api/v1/admin/invitations",
            "get /api/v1/admin/users",
            "get /api/v1/admin/users/{id}",
            "get /api/v1/auth/oidc/providers",
            "get /api/v1/auth/oidc/{provider}/callback",
            "get /api/v1/auth/oidc/{provider}/start",
            "get /api/v1/groups",
            "get /api/v1/groups/{id}",
            "get /api/v1/people",
            "get /api/v1/setup",
            "get /api/v1/users/me",
            "get /api/v1/users/me/export",
            "get /api/v1/users/me/identities",
            "get /api/v1/users/me/sessions",
            "get /api/v1/users/me/tokens",
            "get /connect",
            "get /disconnect",
            "get /users/me",
            "patch /api/v1/admin/users/{id}",
            "patch /api/v1/groups/{id}",
            "patch /api/v1/users/me",
            "post /api/v1/admin/invitations",
            "post /api/v1/admin/keys/rotate",
            "post /api/v1/admin/users",
            "post /api/v1/auth/login",
            "post /api/v1/auth/logout",
            "post /api/v1/auth/oidc/complete",
            "post /api/v1/auth/password/forgot",
            "post /api/v1/auth/password/reset",
            "post /api/v1/auth/refresh",
            "post /api/v1/auth/register",
            "post /api/v1/auth/verify",
            "post /api/v1/auth/verify/resend",
            "post /api/v1/groups",
            "post /api/v1/setup",
            "post /api/v1/users/me/email",
            "post /api/v1/users/me/email/confirm",
            "post /api/v1/users/me/export",
            "post /api/v1/users/me/identities",
            "post /api/v1/users/me/password",
            "post /api/v1/users/me/tokens",
            "post /api/v1/users/me/totp",
            "post /api/v1/users/me/totp/confirm",
            "post /users",
        ]
    );
    assert!(document["paths"].as_object().unwrap().keys().all(|path| owner(path) == Some(Service::Auth)));
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    let document = document();
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
    let mut names: Vec<_> = operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "{names:?}");
}

#[test]
fn what_answers_hold_has_names() {
    let document = document();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for name in [
        "User",
        "Login",
        "Setup",
        "SessionKind",
        "SignIn",
        "SignUp",
        "SetUp",
        "Refresh",
        "KeySet",
        "Problem",
        "ClassicError",
    ] {
        assert!(schemas.contains_key(name), "{name} of {:?}", schemas.keys());
    }
    let text = document.to_string();
    for reference in text.split("\"#/components/schemas/").skip(1).map(|rest| rest.split('"').next().unwrap())
    {
        assert!(schemas.contains_key(reference), "{reference} is referred to, but not there");
    }
    let login = &document["paths"]["/api/v1/auth/login"]["post"];
    assert_eq!(login["tags"], json!(["accounts"]));
    assert_eq!(document["paths"]["/connect"]["get"]["tags"], json!(["classic"]));
}

#[actix_web::test]
async fn answers_have_the_members_that_are_documented() {
    let server = Server::start().await;
    let document = document();
    let schemas = &document["components"]["schemas"];
    let setup = answer(server.get("/api/v1/setup")).await.expect(StatusCode::OK);
    assert_eq!(keys(&setup), keys(&schemas["Setup"]["properties"]));
    for (n, session) in ["token", "cookie"].into_iter().enumerate() {
        let body = json!({"email": format!("user{n}@b"), "password": PASSWORD, "session": session});
        let login = answer(server.post("/api/v1/auth/register", body)).await.expect(StatusCode::CREATED);
        let documented = &schemas["Login"]["oneOf"][n];
        assert_eq!(documented["properties"]["session"]["enum"], json!([session]));
        assert_eq!(keys(&login), keys(&documented["properties"]));
        assert_eq!(keys(&login["user"]), keys(&schemas["User"]["properties"]));
        assert!(
            schemas["User"]["properties"]["role"]["enum"]
                .as_array()
                .unwrap()
                .contains(&login["user"]["role"])
        );
    }
    let set = answer(server.get("/.well-known/jwks.json")).await.expect(StatusCode::OK);
    assert_eq!(keys(&set["keys"][0]), keys(&schemas["KeySet"]["properties"]["keys"]["items"]["properties"]));
}
