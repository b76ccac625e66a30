//! Collections and indexes.

use mongodb::bson::doc;

use crate::engine::{Index, Migration, Schema, Step, Version};
use crate::keyed;

pub(super) const JOBS: &str = "jobs";
/// Who waits with what: see `lines.rs`.
pub(super) const LINES: &str = "job_lines";
/// Who was served, and when: see `turns.rs`.
pub(super) const TURNS: &str = "job_turns";
pub(super) const LOG: &str = "job_log";
/// Ids of removed jobs, known for a day more.
pub(super) const REMOVED: &str = "removed_jobs";
pub(super) const COUNTERS: &str = "job_counters";
/// The last number that was given.
pub(super) const NUMBER: &str = "number";
/// How many jobs have ended: see `depths.rs`.
pub(super) const ENDED: &str = "ended_jobs";
/// The place of the last event that was forgotten.
pub(super) const FORGOTTEN: &str = "forgotten_events";
/// Unique keys: see `unique.rs`.
pub(super) const KEYS: &str = "job_keys";
/// What types are told: see `settings.rs`.
pub(super) const TYPES: &str = "job_types";
/// What ended in each minute: see `tally.rs`.
pub(super) const MINUTES: &str = "job_minutes";
/// Events that have their place: see `events.rs`.
pub(super) const EVENTS: &str = "job_events";
pub(super) const SCHEDULES: &str = "job_schedules";
/// Up to which event everybody has been told.
pub(super) const TOLD: &str = "events_told";
pub(super) const WEBHOOKS: &str = "webhooks";
pub(super) const DELIVERIES: &str = "webhook_deliveries";
pub(super) const NOTIFICATIONS: &str = "notifications";

/// What `untold_since` is while there is no event without a place.
pub(super) const NEVER: i64 = i64::MAX;

pub(crate) static SCHEMA: Schema = Schema {
    name: "jobs",
    migrations: &[
        Migration {
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
        },
        Migration {
            version: Version { major: 1, minor: 1 },
            steps: &[
                Step::Fill {
                    collection: JOBS,
                    lacking: || doc! { "to_index": { "$exists": false } },
                    fields: || doc! { "to_index": true, "told": 0_i64, "untold": false, "untold_since": NEVER },
                },
                // events without a place, those first that have waited longest
                Step::Index(
                    Index::new(JOBS, "untold_1", &[("untold_since", 1), ("number", 1)])
                        .only(|| doc! { "untold": true }),
                ),
                Step::Index(
                    Index::new(JOBS, "to_index_1", &[("number", 1)]).only(|| doc! { "to_index": true }),
                ),
                Step::Index(Index::new(JOBS, "words_1", &[("words", 1), ("number", -1)])),
                Step::Index(Index::new(JOBS, "by_time_1", &[("inserted_at", 1), ("number", 1)])),
                Step::Collection(KEYS),
                Step::Index(Index::new(KEYS, "job_1", &[("job", 1)])),
                Step::Collection(TYPES),
                Step::Collection(MINUTES),
                Step::Index(Index::new(MINUTES, "minute_1", &[("minute", 1)])),
                Step::Index(Index::new(MINUTES, "type_1", &[("type", 1), ("minute", 1)])),
                Step::Collection(EVENTS),
                // what makes an event be told once, whoever tells it
                Step::Index(Index::new(EVENTS, "mark_1", &[("mark", 1)]).unique()),
                Step::Index(Index::new(EVENTS, "job_1", &[("job", 1), ("_id", 1)])),
                Step::Index(Index::new(EVENTS, "user_1", &[("user", 1), ("_id", 1)])),
                Step::Index(Index::new(EVENTS, "type_1", &[("type", 1), ("_id", 1)])),
                Step::Document { collection: COUNTERS, id: FORGOTTEN, fields: || doc! { "value": 0_i64 } },
                Step::Collection(SCHEDULES),
                Step::Index(
                    Index::new(SCHEDULES, "next_1", &[("next_at", 1)]).only(|| doc! { "waits": true }),
                ),
            ],
        },
        Migration {
            version: Version { major: 1, minor: 2 },
            steps: &[
                Step::Collection(WEBHOOKS),
                Step::Index(Index::new(WEBHOOKS, "user_1", &[("user", 1), ("created_at", 1), ("_id", 1)])),
                Step::Index(
                    Index::new(WEBHOOKS, "of_all_1", &[("on", 1)]).only(|| doc! { "all_jobs": true }),
                ),
                Step::Collection(DELIVERIES),
                Step::Index(Index::new(
                    DELIVERIES,
                    "webhook_1",
                    &[("webhook", 1), ("created_at", -1), ("_id", -1)],
                )),
                Step::Index(Index::new(DELIVERIES, "time_1", &[("created_at", 1)])),
                Step::Collection(NOTIFICATIONS),
                Step::Index(Index::new(
                    NOTIFICATIONS,
                    "user_1",
                    &[("user", 1), ("created_at", -1), ("_id", -1)],
                )),
                Step::Index(
                    Index::new(NOTIFICATIONS, "unread_1", &[("user", 1), ("created_at", -1), ("_id", -1)])
                        .only(|| doc! { "unread": true }),
                ),
                Step::Index(Index::new(NOTIFICATIONS, "time_1", &[("created_at", 1)])),
            ],
        },
        FILE_EVENTS_1_3,
        // requests with a key of their own
        Migration { version: Version { major: 1, minor: 4 }, steps: &keyed::steps(keyed::JOBS) },
        TURNS_1_5,
        ENDED_1_6,
        OWN_TYPES_1_7,
    ],
};

/// For those webhooks that are told of files.
const FILE_EVENTS_1_3: Migration = Migration {
    version: Version { major: 1, minor: 3 },
    steps: &[Step::Index(
        Index::new(WEBHOOKS, "file_events_1", &[("file_events", 1), ("_id", 1)]).only(|| doc! { "on": true }),
    )],
};

/// Users of a type take turns. Programs of the version before go by `order_1`, and note no turns.
const TURNS_1_5: Migration = Migration {
    version: Version { major: 1, minor: 5 },
    steps: &[
        Step::Collection(TURNS),
        Step::Index(Index::new(TURNS, "served_1", &[("served", 1)])),
        Step::Index(Index::new(
            LINES,
            "turns_1",
            &[("type", 1), ("priority", 1), ("served", 1), ("head", 1)],
        )),
        Step::Index(Index::new(JOBS, "working_1", &[("type", 1), ("user", 1)]).only(|| doc! { "state": 1 })),
    ],
};

/// Jobs that have ended are counted now and then.
const ENDED_1_6: Migration = Migration {
    version: Version { major: 1, minor: 6 },
    steps: &[Step::Document { collection: COUNTERS, id: ENDED, fields: || doc! { "at": 0_i64 } }],
};

/// The jobs of a user are listed and counted by type, too: without a look at those of all other types.
const OWN_TYPES_1_7: Migration = Migration {
    version: Version { major: 1, minor: 7 },
    steps: &[Step::Index(Index::new(
        JOBS,
        "by_user_type_1",
        &[("user", 1), ("type", 1), ("state", 1), ("number", -1)],
    ))],
};
