//! What an account shows of itself, and what programs keep for its owner.

use common::UserId;
use common::auth::{Account, label};
use serde_json::{Map, Value};

use super::own_account::AccountError;
use crate::AuthService;

/// Most bytes of all preferences as JSON.
pub(crate) const PREFERENCES_BYTES: usize = 12 * 1024;

/// A change of a profile.
pub(crate) struct ProfileChange {
    /// A name, or none any more; absent leaves it.
    pub(crate) name: Option<Option<String>>,
    /// A merge patch (RFC 7396) of the preferences.
    pub(crate) preferences: Map<String, Value>,
}

/// Changes the profile that the caller has just seen.
pub(crate) async fn change(
    service: &AuthService,
    account: &Account,
    change: ProfileChange,
) -> Result<Account, AccountError> {
    let mut name = account.name.clone();
    if let Some(new) = change.name {
        const TEXT: &str = "a name has up to 100 characters, and no control characters";
        // an empty one is none
        let new = new.filter(|text| !text.trim().is_empty());
        name = match &new {
            Some(text) => Some(label(text).ok_or(AccountError::BadProfile("/name", TEXT))?.to_owned()),
            None => None,
        };
    }
    let mut preferences = account.preferences.clone();
    merge(&mut preferences, change.preferences);
    let size = serde_json::to_string(&preferences).map_or(usize::MAX, |text| text.len());
    if size > PREFERENCES_BYTES {
        return Err(AccountError::BadProfile("/preferences", "preferences have up to 12 KiB as JSON"));
    }
    let id: UserId = account.user.id;
    let store = &service.account_store;
    if !store.update_profile(id, account.revision, name.as_deref(), &preferences).await? {
        return Err(AccountError::Conflict);
    }
    Ok(Account { name, preferences, revision: account.revision + 1, ..account.clone() })
}

/// RFC 7396, 2.
fn merge(target: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (key, value) in patch {
        match value {
            Value::Null => {
                target.remove(&key);
            }
            Value::Object(inner) => {
                let member = target.entry(key).or_insert_with(|| Value::Object(Map::new()));
                if !member.is_object() {
                    *member = Value::Object(Map::new());
                }
                if let Value::Object(member) = member {
                    merge(member, inner);
                }
            }
            other => {
                target.insert(key, other);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// RFC 7396, appendix A, as far as both are objects.
    #[test]
    fn merging_is_the_rfcs() {
        for (target, patch, merged) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": "foo"}), json!({"a": {"b": 1}}), json!({"a": {"b": 1}})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let mut merging = target.as_object().cloned().unwrap();
            merge(&mut merging, patch.as_object().cloned().unwrap());
            assert_eq!(Value::Object(merging), merged, "{target} and {patch}");
        }
    }
}
