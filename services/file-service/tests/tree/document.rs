//! The OpenAPI document of the service.

use common::routes::{Service, owner};
use serde_json::Value;

#[test]
fn every_call_of_files_and_the_classic_api_is_documented() {
    let document = serde_json::to_value(file_service::openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    for (path, methods) in [
        ("/api/v1/files/{id}", &["get", "patch", "delete"][..]),
        ("/api/v1/files", &["post"]),
        ("/api/v1/files/{id}/children", &["get"]),
        ("/api/v1/files/{id}/path", &["get"]),
        ("/api/v1/files/{id}/restore", &["post"]),
        ("/api/v1/files/{id}/public", &["put", "delete"]),
        ("/api/v1/trash", &["get", "delete"]),
        ("/api/v1/usage", &["get"]),
        ("/api/v1/usage/types", &["get"]),
        ("/api/v1/limits", &["get"]),
        ("/status", &["get"]),
        ("/stats", &["get"]),
        ("/files", &["get", "post"]),
        ("/files/{id}", &["get", "delete"]),
        ("/files/{id}/publish", &["put"]),
        ("/files/{id}/unpublish", &["put"]),
        ("/files/{id}/data", &["get", "head"]),
    ] {
        let documented: Vec<_> = paths[path].as_object().unwrap().keys().collect();
        for method in methods {
            assert!(documented.contains(&&(*method).to_owned()), "{method} {path}: {documented:?}");
        }
    }
    let mut operations = std::collections::HashSet::new();
    for (path, item) in paths {
        assert_eq!(owner(path), Some(Service::Files), "{path}");
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no id"));
            assert!(operations.insert(id.to_owned()), "{id} stands for two calls");
            let classic = operation["tags"][0] == "classic";
            assert_eq!(classic, !path.starts_with("/api/"), "{path}");
        }
    }
}

#[test]
fn each_call_by_a_link_says_what_becomes_of_a_wrong_password() {
    let document = serde_json::to_value(file_service::openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let unlock = "/api/v1/public/{token}/unlock";
    let by_link = paths.iter().filter(|(path, _)| path.starts_with("/api/v1/public/") && *path != unlock);
    let mut calls = 0;
    for (path, item) in by_link {
        for (method, operation) in item.as_object().unwrap() {
            calls += 1;
            for (status, code) in [
                ("401", "link_locked"),
                ("403", "wrong_password"),
                ("404", "not_found"),
                ("429", "rate_limited"),
            ] {
                let said = operation["responses"][status]["description"].as_str().unwrap_or_default();
                assert!(said.contains(code), "{method} {path}: {status} {said}");
            }
        }
    }
    assert!(calls >= 15, "{calls}");
}

#[test]
fn shapes_have_the_names_of_the_guide() {
    let document = serde_json::to_value(file_service::openapi()).unwrap();
    let schemas = &document["components"]["schemas"];
    for name in
        ["File", "FileList", "Crumb", "Path", "Usage", "Limits", "CreateFolder", "UpdateFile", "ClassicFile"]
    {
        assert!(schemas[name].is_object(), "{name}");
    }
    let members = |name: &str| -> Vec<String> {
        schemas[name]["properties"].as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(members("ClassicFile"), ["id", "isPublic", "name", "parentId", "type", "userId"]);
    assert_eq!(members("FileList"), ["items", "nextCursor", "total"]);
    // what is null is there all the same
    for name in ["File", "FileList", "Usage", "Limits", "Crumb", "Path", "ClassicFile"] {
        assert_eq!(members(name).len(), schemas[name]["required"].as_array().unwrap().len(), "{name}");
    }
    // what is referred to is there
    let text = document.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        let known = schemas[name] != Value::Null || matches!(name, "Problem" | "FieldError");
        assert!(known, "{name}");
    }
}
