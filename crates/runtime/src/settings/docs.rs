//! Help and reference, made from the table of docs and the defaults.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use super::{Doc, source};

/// Whether the table has each key of the struct, and no other.
///
/// # Errors
/// Names the keys that are in one and not in the other.
pub fn check_docs<T: Default + Serialize>(docs: &[Doc]) -> Result<(), String> {
    let in_struct: BTreeSet<_> = defaults::<T>().into_keys().collect();
    // of a section of which there are several there is none by default; whoever has one checks it with `check_section`
    let in_table: BTreeSet<_> =
        docs.iter().filter(|doc| !doc.key.contains('*')).map(|doc| doc.key.to_owned()).collect();
    let difference: Vec<_> = in_struct.symmetric_difference(&in_table).cloned().collect();
    if difference.is_empty() {
        Ok(())
    } else {
        Err(format!("in only one of struct and table: {}", difference.join(", ")))
    }
}

/// Whether the table has each key of a section of which there are several, each with a name of its own: `section.*.key`.
///
/// # Errors
/// Names the keys that are in one and not in the other.
pub fn check_section<T: Default + Serialize>(section: &str, docs: &[Doc]) -> Result<(), String> {
    let in_struct: BTreeSet<_> =
        defaults::<T>().into_keys().map(|key| format!("{section}.*.{key}")).collect();
    let in_table: BTreeSet<_> = docs.iter().map(|doc| doc.key.to_owned()).collect();
    let difference: Vec<_> = in_struct.symmetric_difference(&in_table).cloned().collect();
    if difference.is_empty() {
        Ok(())
    } else {
        Err(format!("in only one of struct and table: {}", difference.join(", ")))
    }
}

/// All settings for `--help`.
pub fn help<T: Default + Serialize>(docs: &[Doc]) -> String {
    let defaults = defaults::<T>();
    let mut text = String::from(
        "Settings (environment; the same keys in lower case, with dots for __, in the TOML file that --config or FM_CONFIG names;\n\
         NAME_FILE names a file that holds the value):\n",
    );
    for doc in docs {
        let default = defaults.get(doc.key).filter(|default| !default.is_empty());
        let default = default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
        write!(text, "  {}{default}\n      {}\n", source::variable(doc.key), doc.text)
            .expect("writing to a string cannot fail");
    }
    text
}

/// All settings as a Markdown table.
pub fn markdown<T: Default + Serialize>(docs: &[Doc]) -> String {
    let defaults = defaults::<T>();
    let mut text = String::from("| environment | file | default | meaning |\n|---|---|---|---|\n");
    for doc in docs {
        let default = defaults.get(doc.key).filter(|default| !default.is_empty());
        let default = default.map_or_else(|| "none".to_owned(), |default| format!("`{default}`"));
        let meaning = doc.text.replace('|', "\\|");
        writeln!(text, "| `{}` | `{}` | {default} | {meaning} |", source::variable(doc.key), doc.key)
            .expect("writing to a string cannot fail");
    }
    text
}

/// Keys with their defaults as text; empty for none.
fn defaults<T: Default + Serialize>() -> BTreeMap<String, String> {
    let value = serde_json::to_value(T::default()).expect("settings are plain data");
    let mut found = BTreeMap::new();
    flatten("", &value, &mut found);
    found
}

fn flatten(key: &str, value: &Value, found: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                let key = if key.is_empty() { member.clone() } else { format!("{key}.{member}") };
                flatten(&key, value, found);
            }
        }
        Value::Null => drop(found.insert(key.to_owned(), String::new())),
        Value::String(text) => drop(found.insert(key.to_owned(), text.clone())),
        Value::Array(items) => {
            let items: Vec<_> = items
                .iter()
                .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
                .collect();
            found.insert(key.to_owned(), items.join(","));
        }
        other => drop(found.insert(key.to_owned(), other.to_string())),
    }
}
