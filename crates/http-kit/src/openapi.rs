//! The OpenAPI document: parts of services merged into one, and what the routes allow.

use std::collections::BTreeSet;

use common::idempotency::takes_key;
use common::routes::{self, Service};
use serde_json::Value;
use utoipa::openapi::path::{HttpMethod, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Components, Info, OpenApi, RefOr, Required, Schema};
use utoipa::{PartialSchema as _, ToSchema as _};

use crate::problem::{FieldError, ProblemDocument};

/// Why parts make no whole.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A part has a path that the table of routes gives to another service.
    #[error("{} documents {path}, which belongs to {owner:?}", .service.name())]
    Path {
        /// Whose part it is.
        service: Service,
        /// The path.
        path: String,
        /// Whose it is.
        owner: Option<Service>,
    },
    /// Two services give one name to different schemas.
    #[error("{} documents another schema as {name}", .service.name())]
    Schema {
        /// Whose part came later.
        service: Service,
        /// The name.
        name: String,
    },
}

/// Merges the parts of services into the document of the product, and adds what they share: problems and the ways to authenticate.
///
/// # Errors
/// [`MergeError`].
pub fn merge(parts: impl IntoIterator<Item = (Service, OpenApi)>) -> Result<OpenApi, MergeError> {
    let mut info = Info::new("Files Manager", env!("CARGO_PKG_VERSION"));
    info.description =
        Some("A self-hosted platform for files. Errors are problems (RFC 9457) with a stable `code`.".into());
    let mut merged = OpenApi::new(info, utoipa::openapi::Paths::new());
    for (service, part) in parts {
        if let Some(path) = part.paths.paths.keys().find(|path| routes::owner(path) != Some(service)) {
            return Err(MergeError::Path { service, path: path.clone(), owner: routes::owner(path) });
        }
        let known = merged.components.as_ref().map(|components| &components.schemas);
        let schemas = part.components.as_ref().map(|components| &components.schemas);
        let differs = |(name, schema): &(&String, &RefOr<Schema>)| {
            known.and_then(|known| known.get(*name)).is_some_and(|other| other != *schema)
        };
        if let Some((name, _)) = schemas.into_iter().flatten().find(differs) {
            return Err(MergeError::Schema { service, name: name.clone() });
        }
        merged.merge(part);
    }
    let components = merged.components.get_or_insert_with(Components::new);
    let mut add = |name: &str, schema: RefOr<Schema>| {
        components.schemas.insert(name.to_owned(), schema);
    };
    add(&ProblemDocument::name(), ProblemDocument::schema());
    add(&FieldError::name(), FieldError::schema());
    for (name, scheme) in [
        ("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer))),
        ("token", SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Token")))),
        ("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("fm_session")))),
    ] {
        components.security_schemes.insert(name.to_owned(), RefOr::T(scheme));
    }
    document_keys(&mut merged);
    require_members_of_answers(&mut merged);
    Ok(merged)
}

/// Every call that takes a key says so.
fn document_keys(document: &mut OpenApi) {
    let key = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "1 to 255 visible characters of ASCII, as a string in quotes or without them: with the same one the request may be sent again for 24 hours, and is \
             carried out once. A repetition is answered as the first was, with `Idempotent-Replayed: true`; with another query or body (of an \
             upload: another length, digest or condition) 422 `idempotency_key_reused`; while the first is under way 409 `request_under_way` with \
             `Retry-After`; 409 `answer_lost` where it was carried out, or may have been, and its answer is not at hand.",
        ))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).max_length(Some(257))))
        .build();
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in [("POST", &mut item.post), ("PUT", &mut item.put)] {
            if let Some(operation) = operation.as_mut().filter(|_| takes_key(method, path)) {
                operation.parameters.get_or_insert_default().push(RefOr::T(key.clone()));
            }
        }
    }
}

/// Answers always have all their members, with null where there is nothing: generated clients need not ask. Problems are left out, which have only what
/// concerns them, and so is everything that a request may hold.
fn require_members_of_answers(document: &mut OpenApi) {
    let value = serde_json::to_value(&*document).expect("a document is plain data");
    let mut in_requests =
        BTreeSet::from([ProblemDocument::name().into_owned(), FieldError::name().into_owned()]);
    for operation in value["paths"].as_object().into_iter().flat_map(|paths| paths.values()) {
        for method in operation.as_object().into_iter().flat_map(|methods| methods.values()) {
            collect_references(&value, &method["requestBody"], &mut in_requests);
        }
    }
    let Some(components) = &mut document.components else { return };
    for (name, schema) in &mut components.schemas {
        if let RefOr::T(Schema::Object(object)) = schema
            && !in_requests.contains(name)
        {
            object.required = object.properties.keys().cloned().collect();
        }
    }
}

/// The names of all schemas that `part` refers to, and that those refer to.
fn collect_references(document: &Value, part: &Value, names: &mut BTreeSet<String>) {
    match part {
        Value::Object(members) => {
            for (member, value) in members {
                let name =
                    value.as_str().filter(|_| member == "$ref").and_then(|path| path.rsplit('/').next());
                match name {
                    Some(name) if names.insert(name.to_owned()) => {
                        collect_references(document, &document["components"]["schemas"][name], names);
                    }
                    _ => collect_references(document, value, names),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(document, item, names)),
        _ => {}
    }
}

/// Which methods each documented path has: for `Allow`.
#[derive(Debug, Clone, Default)]
pub struct MethodTable(Vec<(Vec<Segment>, String)>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Fixed(String),
    Parameter,
}

impl MethodTable {
    /// The paths of a document.
    pub fn of(document: &OpenApi) -> Self {
        let rows = document.paths.paths.iter().map(|(path, item)| {
            let segments = path
                .split('/')
                .map(|text| match text.starts_with('{') {
                    true => Segment::Parameter,
                    false => Segment::Fixed(text.to_owned()),
                })
                .collect();
            (segments, methods(item).join(", "))
        });
        Self(rows.collect())
    }

    /// The value of `Allow` for a path, if it is a documented one. Fixed segments go before parameters.
    pub fn allowed(&self, path: &str) -> Option<&str> {
        let asked: Vec<_> = path.split('/').collect();
        self.0
            .iter()
            .filter(|(segments, _)| {
                segments.len() == asked.len()
                    && segments.iter().zip(&asked).all(|(segment, text)| match segment {
                        Segment::Fixed(fixed) => fixed == text,
                        Segment::Parameter => !text.is_empty(),
                    })
            })
            .max_by_key(|(segments, _)| {
                segments.iter().filter(|segment| **segment != Segment::Parameter).count()
            })
            .map(|(_, allowed)| &**allowed)
    }
}

fn methods(item: &PathItem) -> Vec<&'static str> {
    let documented = [
        (HttpMethod::Get, item.get.is_some()),
        (HttpMethod::Head, item.head.is_some()),
        (HttpMethod::Post, item.post.is_some()),
        (HttpMethod::Put, item.put.is_some()),
        (HttpMethod::Patch, item.patch.is_some()),
        (HttpMethod::Delete, item.delete.is_some()),
    ];
    let names = documented.into_iter().filter(|(_, is)| *is).map(|(method, _)| match method {
        HttpMethod::Get => "GET",
        HttpMethod::Head => "HEAD",
        HttpMethod::Post => "POST",
        HttpMethod::Put => "PUT",
        HttpMethod::Patch => "PATCH",
        _ => "DELETE",
    });
    names.chain(["OPTIONS"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use utoipa::openapi::path::{Operation, Paths};

    fn document(paths: &[(&str, &[HttpMethod])]) -> OpenApi {
        let mut all = Paths::new();
        for (path, methods) in paths {
            all.add_path_operation(*path, methods.to_vec(), Operation::new());
        }
        OpenApi::new(Info::new("part", "0"), all)
    }

    #[test]
    fn parts_are_merged_by_their_owner() {
        let auth = document(&[("/api/v1/users/me", &[HttpMethod::Get])]);
        let files = document(&[("/api/v1/files/{id}", &[HttpMethod::Get])]);
        let merged = merge([(Service::Auth, auth.clone()), (Service::Files, files)]).unwrap();
        assert_eq!(merged.paths.paths.len(), 2);
        let components = merged.components.unwrap();
        assert!(
            components.schemas.contains_key("Problem") && components.security_schemes.contains_key("bearer")
        );
        let Err(error) = merge([(Service::Files, auth)]) else { panic!("the path is another service's") };
        assert_eq!(error.to_string(), "file-service documents /api/v1/users/me, which belongs to Some(Auth)");
    }

    #[test]
    fn a_name_stands_for_one_schema() {
        let part = |schema: RefOr<Schema>| {
            let mut part = document(&[]);
            part.components.get_or_insert_with(Components::new).schemas.insert("Person".to_owned(), schema);
            part
        };
        let (one, other) = (part(FieldError::schema()), part(ProblemDocument::schema()));
        assert!(merge([(Service::Auth, one.clone()), (Service::Files, one.clone())]).is_ok());
        let Err(error) = merge([(Service::Auth, one), (Service::Files, other)]) else {
            panic!("they differ")
        };
        assert_eq!(error.to_string(), "file-service documents another schema as Person");
    }

    #[test]
    fn the_table_says_what_a_path_allows() {
        let table = MethodTable::of(&document(&[
            ("/files/{id}", &[HttpMethod::Get, HttpMethod::Delete]),
            ("/files/{id}/data", &[HttpMethod::Get, HttpMethod::Head]),
            ("/files/root", &[HttpMethod::Post]),
        ]));
        assert_eq!(table.allowed("/files/1"), Some("GET, DELETE, OPTIONS"));
        assert_eq!(table.allowed("/files/1/data"), Some("GET, HEAD, OPTIONS"));
        assert_eq!(table.allowed("/files/root"), Some("POST, OPTIONS"));
        for path in ["/files", "/files/", "/files/1/", "/x"] {
            assert_eq!(table.allowed(path), None, "{path}");
        }
    }
}
