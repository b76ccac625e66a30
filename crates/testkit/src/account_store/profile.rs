use serde_json::{Map, json};

use super::AccountSubject;

fn object(value: serde_json::Value) -> Map<String, serde_json::Value> {
    value.as_object().cloned().unwrap()
}

pub async fn a_profile_changes_from_the_revision_that_was_seen(subject: &AccountSubject) {
    let bob = subject.registered("bob@example.org").await;
    let accounts = &subject.accounts;
    let found = async || accounts.find_account(bob.id).await.unwrap().unwrap();
    let account = found().await;
    assert_eq!((account.name, account.preferences, account.revision), (None, Map::new(), 0));
    assert_eq!((account.totp, account.deletes_at, account.blocked), (None, None, false));
    assert_eq!(accounts.find_account(subject.ids.next()).await.unwrap(), None);

    let preferences = object(json!({"theme": "dark", "views": {"root": {"layout": "grid"}}}));
    assert!(!accounts.update_profile(bob.id, 1, Some("Bob"), &preferences).await.unwrap());
    assert!(accounts.update_profile(bob.id, 0, Some("Bob ☃"), &preferences).await.unwrap());
    let account = found().await;
    assert_eq!((account.name.as_deref(), account.revision), (Some("Bob ☃"), 1));
    assert_eq!(account.preferences, preferences);
    assert!(!accounts.update_profile(bob.id, 0, None, &Map::new()).await.unwrap());
    assert!(accounts.update_profile(bob.id, 1, None, &Map::new()).await.unwrap());
    let account = found().await;
    assert_eq!((account.name, account.preferences, account.revision), (None, Map::new(), 2));
    assert!(!accounts.update_profile(subject.ids.next(), 0, None, &Map::new()).await.unwrap());
    assert_eq!(subject.store.find_user(bob.id).await.unwrap(), Some(bob));
}
