//! What an export takes along of each collection. A new one is decided here and in `common::portable`, and stands in the documentation
//! (`docs/adr/0018-one-folder-for-both-forms.md`).

use std::collections::BTreeSet;

use crate::engine::{Schema, Step};

/// What becomes of a collection.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    /// It goes along.
    Goes,
    /// The importing store makes it anew, of what goes along.
    Derived,
    /// It stays behind; the reasons are those of the tables of `store-sqlite`.
    Stays,
}

use Fate::{Derived, Goes, Stays};

const AUTH: &[(&str, Fate)] = &[
    ("api_tokens", Goes),
    ("audit", Goes),
    ("auth_counters", Derived),
    ("auth_keyed_requests", Stays),
    ("auth_outbox", Goes),
    ("devices", Goes),
    ("emails", Derived),
    ("export_parts", Stays),
    ("exports", Stays),
    ("first_admin", Derived),
    ("group_members", Goes),
    ("group_names", Derived),
    ("groups", Goes),
    ("identities", Goes),
    ("invitations", Goes),
    ("mailed_codes", Stays),
    ("refresh_tokens", Stays),
    ("sessions", Stays),
    ("signing_keys", Stays),
    ("users", Goes),
];

const FILES: &[(&str, Fate)] = &[
    ("activity", Goes),
    ("blobs", Goes),
    ("copies", Goes),
    ("copy_folders", Stays),
    ("copy_fronts", Goes),
    ("files_keyed_requests", Stays),
    ("files_outbox", Goes),
    ("links", Goes),
    ("nodes", Goes),
    ("operation_parts", Goes),
    ("operations", Goes),
    ("reservations", Stays),
    ("shares", Goes),
    ("spaces", Goes),
    ("stars", Goes),
    ("texts", Stays),
    ("thumbnails", Goes),
    ("uploads", Stays),
    ("versions", Goes),
];

const JOBS: &[(&str, Fate)] = &[
    ("job_counters", Derived),
    ("job_events", Stays),
    ("job_keys", Derived),
    ("job_lines", Derived),
    ("job_log", Goes),
    ("job_minutes", Stays),
    ("job_schedules", Goes),
    ("job_turns", Derived),
    ("job_types", Goes),
    ("jobs", Goes),
    ("jobs_keyed_requests", Stays),
    ("notifications", Goes),
    ("removed_jobs", Stays),
    ("webhook_deliveries", Goes),
    ("webhooks", Goes),
];

fn collections(schema: &Schema) -> BTreeSet<&'static str> {
    let steps = schema.migrations.iter().flat_map(|migration| migration.steps);
    let name = |step: &Step| match step {
        Step::Collection(name) | Step::Outbox(name) => *name,
        Step::Fill { collection, .. } | Step::Document { collection, .. } => *collection,
        Step::Index(index) => index.collection,
    };
    steps.map(name).collect()
}

#[test]
fn it_is_decided_of_each_collection_whether_it_goes_along() {
    for (schema, decided) in [
        (&crate::auth::SCHEMA, AUTH),
        (&crate::files::schema::SCHEMA, FILES),
        (&crate::jobs::schema::SCHEMA, JOBS),
    ] {
        let known: BTreeSet<&str> = decided.iter().map(|(name, _)| *name).collect();
        assert_eq!(collections(schema), known, "collections of {}", schema.name);
        assert!(decided.iter().any(|(_, fate)| *fate == Goes));
    }
}
