//! Reads the sources as text, and knows every key before any value is typed.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Doc, SettingsError};

const PREFIX: &str = "FM_";
const FILE: &str = "_FILE";
/// Names the settings file.
pub(super) const CONFIG: &str = "FM_CONFIG";

/// `mail.smtp_host` as the environment writes it.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase().replace('.', "__"))
}

/// The settings in the environment by their keys in the library's form (`mail__smtp_host`), files read.
pub(super) fn environment(
    docs: &[Doc],
    environment: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, SettingsError> {
    let known: BTreeMap<_, _> =
        docs.iter().map(|doc| (variable(doc.key), doc.key.replace('.', "__"))).collect();
    let key_of = |name: &str| known.get(name).cloned().or_else(|| with_names(name, &known));
    let mut found = BTreeMap::new();
    for (name, value) in environment {
        if !name.starts_with(PREFIX) || name.starts_with("FM_TEST_") || name == CONFIG {
            continue;
        }
        if let Some(key) = key_of(name) {
            found.insert(key, value.clone());
            continue;
        }
        let of_file = name.strip_suffix(FILE).and_then(|bare| Some((bare, key_of(bare)?)));
        let Some((bare, key)) = of_file else {
            return Err(SettingsError::Unknown {
                name: name.clone(),
                place: "the environment".to_owned(),
                nearest: nearest(name, known.keys().map(String::as_str)),
            });
        };
        if environment.contains_key(bare) {
            let reason = format!("{bare} is set too; set one of them");
            return Err(SettingsError::Invalid { name: name.clone(), reason });
        }
        let content = super::read(name, Path::new(value))?;
        // editors and `echo` end a file with a newline that is no part of a secret
        found.insert(key, content.trim_end_matches(['\n', '\r']).to_owned());
    }
    Ok(found)
}

/// The key of a setting in a section of which there are several, each with a name of its own where the table has `*`.
fn with_names(name: &str, known: &BTreeMap<String, String>) -> Option<String> {
    let parts: Vec<_> = name.strip_prefix(PREFIX)?.split("__").collect();
    known.values().filter(|key| key.contains('*')).find_map(|key| {
        let wanted: Vec<_> = key.split("__").collect();
        let fits = |(wanted, part): (&&str, &&str)| match *wanted {
            "*" => !part.is_empty() && !part.starts_with('_') && **part == part.to_uppercase(),
            fixed => **part == fixed.to_uppercase(),
        };
        let all = wanted.len() == parts.len() && wanted.iter().zip(&parts).all(fits);
        all.then(|| parts.join("__").to_lowercase())
    })
}

/// Whether the table has this key, `*` standing for any name.
fn has(docs: &[Doc], key: &str) -> bool {
    let parts: Vec<_> = key.split('.').collect();
    docs.iter().any(|doc| {
        let wanted: Vec<_> = doc.key.split('.').collect();
        wanted.len() == parts.len()
            && wanted.iter().zip(&parts).all(|(wanted, part)| *wanted == "*" || wanted == part)
    })
}

/// Refuses a file that is no TOML or has a key that nobody knows.
pub(super) fn check_file(docs: &[Doc], path: &Path, text: &str) -> Result<(), SettingsError> {
    use config::Source as _;
    let place = path.display().to_string();
    let parsed = config::File::from_str(text, config::FileFormat::Toml)
        .collect()
        .map_err(|error| SettingsError::Invalid { name: place.clone(), reason: error.to_string() })?;
    let mut keys = Vec::new();
    for (key, value) in parsed {
        flatten(&key, &value, &mut keys);
    }
    keys.sort();
    match keys.into_iter().find(|key| !has(docs, key)) {
        None => Ok(()),
        Some(name) => {
            let nearest = nearest(&name, docs.iter().map(|doc| doc.key));
            Err(SettingsError::Unknown { name, place, nearest })
        }
    }
}

fn flatten(key: &str, value: &config::Value, keys: &mut Vec<String>) {
    match &value.kind {
        config::ValueKind::Table(table) => {
            for (inner, value) in table {
                flatten(&format!("{key}.{inner}"), value, keys);
            }
        }
        _ => keys.push(key.to_owned()),
    }
}

fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    known
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= name.len().div_ceil(2))
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}
