//! What search needs of the schema.

use mongodb::bson::doc;

use super::schema::{NODES, TEXTS};
use crate::engine::{Index, Migration, Step, Version};

pub(super) const MIGRATION: Migration = Migration {
    version: Version { major: 1, minor: 6 },
    steps: &[
        Step::Collection(TEXTS),
        Step::Index(Index::new(TEXTS, "words_1", &[("space", 1), ("words", 1)])),
        Step::Index(Index::new(TEXTS, "blob_1", &[("blob", 1)])),
        // what was there before gets its words by the upkeep
        Step::Index(
            Index::new(NODES, "words_1", &[("space", 1), ("words", 1)]).only(|| doc! { "live": true }),
        ),
    ],
};
