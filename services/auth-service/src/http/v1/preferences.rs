//! What programs keep for their user.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// What programs keep for their user: up to 12 KiB as JSON.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Preferences {
    /// A language tag (RFC 5646), such as `de-CH`.
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline)]
    theme: Option<Theme>,
    /// How folders are shown, by their id; `root` is one's own, and `default` is for all that are not named.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    views: BTreeMap<String, View>,
}

/// Light or dark; `system` is as the device is set.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Theme {
    System,
    Light,
    Dark,
}

/// How a folder is shown.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schema(as = FolderView)]
struct View {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline)]
    layout: Option<Layout>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline)]
    sort: Option<Sort>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline)]
    order: Option<Order>,
}

/// As a list or as pictures.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Layout {
    List,
    Grid,
}

/// What the list of children is sorted by.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
enum Sort {
    Name,
    Size,
    ModifiedAt,
    Type,
}

/// In which order.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Order {
    Asc,
    Desc,
}

impl Preferences {
    /// What is kept, as far as this version understands it.
    pub(super) fn of(kept: Map<String, Value>) -> Self {
        let read = |key: &str| kept.get(key).cloned();
        Self {
            language: read("language").and_then(|value| serde_json::from_value(value).ok()),
            theme: read("theme").and_then(|value| serde_json::from_value(value).ok()),
            views: read("views").and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default(),
        }
    }
}

/// What is wrong with a change of preferences.
pub(super) struct Fault {
    /// The member, as a JSON pointer.
    pub(super) pointer: String,
    /// Why, as a sentence.
    pub(super) reason: &'static str,
}

/// Checks a merge patch: each member is null, or what a member of [`Preferences`] may be.
pub(super) fn check(patch: &Map<String, Value>) -> Result<(), Fault> {
    let fault = |pointer: &str, reason| Err(Fault { pointer: format!("/preferences/{pointer}"), reason });
    for (key, value) in patch {
        match (key.as_str(), value) {
            (_, Value::Null) => {}
            ("language", Value::String(tag)) if is_language(tag) => {}
            ("language", _) => return fault("language", "a language tag such as de-CH"),
            ("theme", value) => {
                if serde_json::from_value::<Theme>(value.clone()).is_err() {
                    return fault("theme", "system, light or dark");
                }
            }
            ("views", Value::Object(views)) => {
                for (folder, view) in views {
                    let known =
                        matches!(&**folder, "root" | "default") || folder.parse::<common::FileId>().is_ok();
                    if !known {
                        return fault("views", "views go by the id of a folder, root or default");
                    }
                    // null removes a view, or one of its members
                    let view = match view {
                        Value::Object(members) => members
                            .iter()
                            .filter(|(_, value)| !value.is_null())
                            .map(|(k, v)| (k.clone(), v.clone()))
                            .collect(),
                        Value::Null => Map::new(),
                        _ => return fault("views", "a view is an object"),
                    };
                    if serde_json::from_value::<View>(Value::Object(view)).is_err() {
                        return fault("views", "a view has a layout, a sort and an order");
                    }
                }
            }
            ("views", _) => return fault("views", "views are an object"),
            _ => return fault("", "there are language, theme and views"),
        }
    }
    Ok(())
}

/// Looks like a language tag; whether there is such a language, the page knows.
fn is_language(tag: &str) -> bool {
    (2..=35).contains(&tag.len())
        && tag
            .split('-')
            .all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_programs_may_keep() {
        let check = |patch: Value| check(patch.as_object().unwrap()).map_err(|fault| fault.pointer);
        let folder = "0123456789abcdef01234567";
        assert_eq!(check(json!({})), Ok(()));
        assert_eq!(
            check(
                json!({"language": "de-CH", "theme": "dark", "views": {folder: {"layout": "grid", "sort": "modifiedAt", "order": "desc"}, "root": null, "default": {"layout": null}}})
            ),
            Ok(())
        );
        assert_eq!(check(json!({"language": null, "theme": null, "views": null})), Ok(()));
        for (patch, pointer) in [
            (json!({"language": "not a tag"}), "/preferences/language"),
            (json!({"language": 1}), "/preferences/language"),
            (json!({"theme": "pink"}), "/preferences/theme"),
            (json!({"views": []}), "/preferences/views"),
            (json!({"views": {"x": {}}}), "/preferences/views"),
            (json!({"views": {"root": 1}}), "/preferences/views"),
            (json!({"views": {"root": {"layout": "heap"}}}), "/preferences/views"),
            (json!({"views": {"root": {"colour": "red"}}}), "/preferences/views"),
            (json!({"colour": "red"}), "/preferences/"),
        ] {
            assert_eq!(check(patch), Err(pointer.to_owned()));
        }
    }
}
