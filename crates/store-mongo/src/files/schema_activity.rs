//! What the history of files needs of the schema.

use super::schema::ACTIVITY;
use crate::engine::{Index, Migration, Step, Version};

pub(super) const MIGRATION: Migration = Migration {
    version: Version { major: 1, minor: 7 },
    steps: &[
        Step::Collection(ACTIVITY),
        Step::Index(Index::new(ACTIVITY, "node_1", &[("node", 1), ("seq", -1)])),
        Step::Index(Index::new(ACTIVITY, "age_1", &[("at", 1)])),
    ],
};
