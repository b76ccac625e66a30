//! What an export takes along of each table. A new table, or a new column of one that goes along, is decided here and in `common::portable`, and stands in the
//! documentation (`docs/adr/0018-one-folder-for-both-forms.md`).

use std::collections::BTreeMap;

use rusqlite::Connection;

use crate::{AuthDb, FilesDb, JobsDb, OpenOptions};

/// What becomes of a table.
#[derive(Debug, PartialEq)]
enum Fate {
    /// It goes along. These are its columns.
    Goes(&'static str),
    /// The importing store makes it anew, of what goes along.
    Derived,
    /// It stays behind, for this reason.
    Stays(&'static str),
}

use Fate::{Derived, Goes, Stays};

const SHORT_LIVED: Fate =
    Stays("repetitions of requests are known for a day, and sealed for this installation");

const AUTH: &[(&str, Fate)] = &[
    ("api_tokens", Goes("id user name hash scopes folder created_at expires_at revoked_at last_used_at")),
    ("audit", Goes("id at actor session token action target address details")),
    ("counters", Derived),
    ("devices", Goes("user hash seen_at")),
    ("export_parts", Stays("an account's export is asked for anew")),
    ("exports", Stays("an account's export is asked for anew")),
    ("group_members", Goes("group user")),
    ("groups", Goes("id name name_key created_at")),
    ("identities", Goes("id user issuer subject address created_at last_used_at")),
    ("invitations", Goes("id hash address role made_by created_at expires_at")),
    ("keyed_requests", SHORT_LIVED),
    ("mailed_codes", Stays("codes are good for hours, and asked for anew")),
    ("meta", Derived),
    ("outbox", Goes("seq id job sent sent_at leased_until")),
    ("recovery_codes", Goes("user hash")),
    ("refresh_tokens", Stays("people sign in anew: tokens are good at one installation")),
    ("sessions", Stays("people sign in anew: tokens are good at one installation")),
    ("signing_keys", Stays("people sign in anew: tokens are good at one installation")),
    (
        "users",
        Goes(
            "id address address_key password_hash role disabled bootstrap created_at verified_at name preferences revision totp \
             totp_confirmed_at totp_step deletes_at",
        ),
    ),
];

const FILES: &[(&str, Fate)] = &[
    ("activity", Goes("id space seq at kind node folder name parent old_name old_parent user link")),
    (
        "blobs",
        Goes(
            "key size sha256 crc32 inline_id refs condemned_at thumbnails thumbnails_reason width height damaged_at taken_at camera duration_ms",
        ),
    ),
    ("copies", Goes("id user within source root state reason nodes bytes at ended_at")),
    (
        "copy_folders",
        Stays(
            "a running copy leaves out what it made itself: where it goes on, its root, and what it makes from then on",
        ),
    ),
    ("copy_fronts", Goes("copy target source after")),
    ("counters", Derived),
    ("inline_bytes", Goes("id bytes")),
    ("keyed_requests", SHORT_LIVED),
    (
        "links",
        Goes(
            "id token node space role label password_hash expires_at max_downloads downloads opens last_used_at made_by owner at notify \
             new_downloads new_drops new_file told_downloads told_drops notice_job notice_due noticed_at",
        ),
    ),
    ("listings", Derived),
    ("meta", Derived),
    ("name_words", Derived),
    ("node_tags", Derived),
    (
        "nodes",
        Goes(
            "id space owner parent name sort_key kind live created_at modified_at revision trashed_at trashed_by deleted_at public_since \
             public_by classic_name classic_type folder_count file_count version blob size mime content_modified_at content_at content_by tags \
             return_to return_as return_after",
        ),
    ),
    ("operation_parts", Goes("operation number node kind undo revision_before revision_after undone_by")),
    ("operations", Goes("id user within at undoes kind node parts undone")),
    ("outbox", Goes("seq id job sent sent_at leased_until")),
    ("reservations", Stays("they belong to uploads under way")),
    ("search_nodes", Derived),
    ("shares", Goes("id node space to_group grantee role given_by at")),
    (
        "spaces",
        Goes(
            "id owner root tree_version used_bytes reserved_bytes quota_bytes node_count trash_count depth_bound recounts events",
        ),
    ),
    ("stars", Goes("user node at")),
    ("text_words", Stays("the upkeep reads contents anew")),
    ("texts", Stays("the upkeep reads contents anew")),
    ("thumbnails", Goes("original size key mime")),
    ("upload_parts", Stays("uploads under way begin anew")),
    ("uploads", Stays("uploads under way begin anew")),
    ("versions", Goes("node version blob size mime modified_at at by replaced_at")),
];

const JOBS: &[(&str, Fate)] = &[
    ("deliveries", Goes("id webhook event body created_at state attempts finished_at")),
    ("events", Stays("what finished jobs were is no part of what is yet to be done")),
    ("job_log", Goes("number seq at line")),
    (
        // those that have not ended, but for `account-export`
        "jobs",
        Goes(
            "number id type data priority user max_attempts backoff ttl_ms run_at created_at request_id state progress result error \
             attempts_made failures inserted_at started_at updated_at finished_at worker generation lease_until ttl_until due_at trace \
             unique_key remove_on_complete progress_data ready_at",
        ),
    ),
    ("keyed_requests", SHORT_LIVED),
    // `paused`, for all types, goes along with what single types were told
    ("meta", Derived),
    ("minutes", Stays("figures are of one installation, and kept for two days")),
    ("notifications", Goes("id user kind text data created_at read_at")),
    ("removed", Stays("what is in an outbox and was done here is left out by the export")),
    ("schedules", Goes("id spec paused next_at last_at user created_at revision")),
    ("texts", Derived),
    ("turns", Derived),
    ("type_counts", Derived),
    ("types", Goes("type paused max per_ms window_at window_count work_ms")),
    ("user_counts", Derived),
    (
        "webhooks",
        Goes(
            "id user url description events all_jobs secret previous_secret previous_until off_why off_at failing_since failures \
             created_at updated_at revision files_told",
        ),
    ),
];

/// The tables of a database with their columns; those of an index of words are one.
fn tables(database: &std::path::Path) -> BTreeMap<String, String> {
    let connection = Connection::open(database).unwrap();
    let mut virtual_tables =
        connection.prepare("SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL TABLE%'").unwrap();
    let words: Vec<String> =
        virtual_tables.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    let mut select = connection
        .prepare(
            "SELECT m.name, group_concat(p.name, ' ') FROM sqlite_master m, pragma_table_info(m.name) p
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' GROUP BY m.name",
        )
        .unwrap();
    let found = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let is_inner = |name: &str| {
        words.iter().any(|of| name.strip_prefix(of.as_str()).is_some_and(|rest| rest.starts_with('_')))
    };
    found.map(Result::unwrap).filter(|(name, _): &(String, String)| !is_inner(name)).collect()
}

#[test]
fn it_is_decided_of_each_table_and_column_whether_it_goes_along() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let options = OpenOptions::default();
    AuthDb::open(place("auth.db"), &options).unwrap().close();
    FilesDb::open(place("files.db"), &options).unwrap().close();
    JobsDb::open(place("jobs.db"), &options).unwrap().close();
    for (name, decided) in [("auth.db", AUTH), ("files.db", FILES), ("jobs.db", JOBS)] {
        let there = tables(&place(name));
        let known: Vec<&str> = decided.iter().map(|(table, _)| *table).collect();
        assert_eq!(there.keys().map(String::as_str).collect::<Vec<_>>(), known, "tables of {name}");
        for (table, fate) in decided {
            match fate {
                Goes(columns) => assert_eq!(there[*table], *columns, "columns of {table} of {name}"),
                Stays(why) => assert!(!why.is_empty()),
                Derived => {}
            }
        }
    }
}
