//! Collections and indexes.

use mongodb::bson::doc;

use crate::engine::{Index, Migration, Schema, Step, Version};

pub(super) const JOBS: &str = "jobs";
/// Who waits with what: see `lines.rs`.
pub(super) const LINES: &str = "job_lines";
pub(super) const LOG: &str = "job_log";
/// Ids of removed jobs, known for a day more.
pub(super) const REMOVED: &str = "removed_jobs";
pub(super) const COUNTERS: &str = "job_counters";
/// The last number that was given.
pub(super) const NUMBER: &str = "number";

pub(super) static SCHEMA: Schema = Schema {
    name: "jobs",
    migrations: &[Migration {
        version: Version { major: 1, minor: 0 },
        steps: &[
            Step::Collection(JOBS),
            // the numbers of states are those of `doc::state_number`
            Step::Index(
                // the whole condition of a claim: see `work::take`
                Index::new(
                    JOBS,
                    "ready_1",
                    &[("type", 1), ("priority", 1), ("user", 1), ("number", 1), ("generation", 1)],
                )
                .only(|| doc! { "state": 0 }),
            ),
            Step::Index(Index::new(JOBS, "active_1", &[("user", 1)]).only(|| doc! { "state": 1 })),
            Step::Index(Index::new(JOBS, "ends_1", &[("ends_at", 1)]).only(|| doc! { "state": 1 })),
            Step::Index(Index::new(JOBS, "due_1", &[("due_at", 1)]).only(|| doc! { "state": 4 })),
            Step::Index(
                Index::new(JOBS, "finished_1", &[("state", 1), ("finished_at", 1)])
                    .only(|| doc! { "finished": true }),
            ),
            // lists, and counts by state
            Step::Index(Index::new(JOBS, "by_number_1", &[("number", -1)])),
            Step::Index(Index::new(JOBS, "by_state_1", &[("state", 1), ("number", -1)])),
            Step::Index(Index::new(JOBS, "by_type_1", &[("type", 1), ("state", 1), ("number", -1)])),
            Step::Index(Index::new(JOBS, "by_user_1", &[("user", 1), ("state", 1), ("number", -1)])),
            Step::Collection(LINES),
            Step::Index(Index::new(LINES, "order_1", &[("type", 1), ("priority", 1), ("head", 1)])),
            Step::Index(Index::new(LINES, "user_1", &[("user", 1)])),
            Step::Collection(LOG),
            Step::Index(Index::new(LOG, "job_1", &[("job", 1), ("line", 1)])),
            Step::Collection(REMOVED),
            Step::Index(Index::new(REMOVED, "at_1", &[("noted", 1), ("at", 1)])),
            Step::Document { collection: COUNTERS, id: NUMBER, fields: || doc! { "value": 0_i64 } },
        ],
    }],
};
