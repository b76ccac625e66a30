use std::time::Duration;

use common::auth::{AuditAction, AuditCredential, AuditEntry, AuditFilter};
use common::{AuditId, ObjectId, Timestamp};

use super::AuthSubject;

const HOUR: Duration = Duration::from_secs(3600);

/// A line of the log, of nobody.
pub fn audit_entry(id: AuditId, action: AuditAction, at: Timestamp) -> AuditEntry {
    AuditEntry {
        id,
        at,
        actor: None,
        credential: None,
        action,
        target: None,
        address: None,
        details: serde_json::Map::new(),
    }
}

impl AuthSubject {
    async fn write(&self, entry: AuditEntry) -> AuditEntry {
        self.audit.write_audit(std::slice::from_ref(&entry)).await.unwrap();
        entry
    }

    async fn log(&self, filter: &AuditFilter) -> Vec<AuditEntry> {
        self.audit.list_audit(filter, None, 100).await.unwrap()
    }
}

pub async fn the_log_is_listed_newest_first(subject: &AuthSubject) {
    let start = subject.now();
    subject.audit.write_audit(&[]).await.unwrap();
    let details =
        serde_json::json!({"role": "admin", "before": {"role": "user"}}).as_object().unwrap().clone();
    let full = AuditEntry {
        actor: Some(subject.ids.next()),
        credential: Some(AuditCredential::Session(subject.ids.next())),
        target: Some(subject.ids.next::<ObjectId>().to_string()),
        address: Some("192.0.2.7".to_owned()),
        details,
        ..audit_entry(subject.ids.next(), AuditAction::UserChanged, start)
    };
    let by_token = AuditEntry {
        credential: Some(AuditCredential::Token(subject.ids.next())),
        ..audit_entry(subject.ids.next(), AuditAction::KeysRotated, start)
    };
    let mut expected = vec![subject.write(full).await, subject.write(by_token).await];
    // several at one moment, one before all
    for at in [start, start, start + HOUR, start - HOUR] {
        let entry = audit_entry(subject.ids.next(), AuditAction::SignedIn, at);
        expected.push(subject.write(entry).await);
    }
    expected.sort_by_key(|entry| std::cmp::Reverse((entry.at, entry.id)));
    assert_eq!(subject.log(&AuditFilter::default()).await, expected);
    // page by page, while lines are added before
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let page = subject.audit.list_audit(&AuditFilter::default(), after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.at, last.id));
        paged.extend(page);
        let later = audit_entry(subject.ids.next(), AuditAction::SignedIn, start + 2 * HOUR);
        subject.write(later).await;
    }
    assert_eq!(paged, expected);
}

pub async fn the_log_is_filtered(subject: &AuthSubject) {
    let start = subject.now();
    let (bob, eve) = (subject.ids.next(), subject.ids.next());
    let mut written = Vec::new();
    for (actor, action, hours) in [
        (bob, AuditAction::SignedIn, 0),
        (eve, AuditAction::SignedIn, 1),
        (bob, AuditAction::SignedOut, 2),
        (bob, AuditAction::SignedIn, 3),
    ] {
        let entry = AuditEntry {
            actor: Some(actor),
            ..audit_entry(subject.ids.next(), action, start + hours * HOUR)
        };
        written.push(subject.write(entry).await);
    }
    let places = async |filter: AuditFilter| -> Vec<usize> {
        let found = subject.log(&filter).await;
        found.iter().map(|entry| written.iter().position(|other| other == entry).unwrap()).collect()
    };
    let all = AuditFilter::default;
    assert_eq!(places(AuditFilter { actor: Some(bob), ..all() }).await, [3, 2, 0]);
    let signed_in = Some("session.opened".to_owned());
    assert_eq!(places(AuditFilter { action: signed_in.clone(), ..all() }).await, [3, 1, 0]);
    assert_eq!(places(AuditFilter { action: Some("else".to_owned()), ..all() }).await, [] as [usize; 0]);
    let times = AuditFilter { from: Some(start + HOUR), to: Some(start + 3 * HOUR), ..all() };
    assert_eq!(places(times.clone()).await, [2, 1]);
    assert_eq!(places(AuditFilter { actor: Some(eve), action: signed_in, ..times }).await, [1]);
}

pub async fn old_lines_of_the_log_are_removed(subject: &AuthSubject) {
    let start = subject.now();
    for hours in 0..5 {
        let id = subject.ids.next();
        subject.write(audit_entry(id, AuditAction::SignedIn, start + hours * HOUR)).await;
    }
    let before = start + 3 * HOUR;
    assert_eq!(subject.audit.remove_audit(before, 2).await.unwrap(), 2);
    assert_eq!(subject.audit.remove_audit(before, 2).await.unwrap(), 1);
    assert_eq!(subject.audit.remove_audit(before, 2).await.unwrap(), 0);
    assert_eq!(subject.log(&AuditFilter::default()).await.len(), 2);
}
