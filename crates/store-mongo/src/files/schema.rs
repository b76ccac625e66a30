//! Collections and indexes.

use mongodb::bson::doc;

use super::{schema_activity, schema_search};
use crate::engine::{Index, Migration, Schema, Step, Version};
use crate::keyed;

pub(super) const SPACES: &str = "spaces";
pub(super) const RESERVATIONS: &str = "reservations";
pub(super) const NODES: &str = "nodes";
pub(super) const VERSIONS: &str = "versions";
pub(super) const BLOBS: &str = "blobs";
pub(super) const THUMBNAILS: &str = "thumbnails";
pub(super) const SHARES: &str = "shares";
pub(super) const LINKS: &str = "links";
pub(super) const STARS: &str = "stars";
pub(super) const COPIES: &str = "copies";
pub(super) const COPY_FRONTS: &str = "copy_fronts";
pub(super) const COPY_FOLDERS: &str = "copy_folders";
pub(super) const OPERATIONS: &str = "operations";
pub(super) const OPERATION_PARTS: &str = "operation_parts";
pub(super) const ACTIVITY: &str = "activity";
pub(super) const TEXTS: &str = "texts";
pub(super) const UPLOADS: &str = "uploads";
pub(super) const OUTBOX: &str = "files_outbox";

/// The indexes of the four sorts: a range for each kind, in the order of the list.
pub(super) const BY_NAME: &str = "by_name_1";
pub(super) const BY_SIZE: &str = "by_size_1";
pub(super) const BY_TIME: &str = "by_time_1";
pub(super) const BY_TYPE: &str = "by_type_1";

pub(crate) static SCHEMA: Schema = Schema {
    name: "files",
    migrations: &[
        Migration {
            version: Version { major: 1, minor: 0 },
            steps: &[
                Step::Collection(SPACES),
                Step::Index(Index::new(SPACES, "owner_1", &[("owner", 1)]).unique()),
                Step::Collection(RESERVATIONS),
                Step::Index(Index::new(RESERVATIONS, "expiry_1", &[("expires_at", 1)])),
                Step::Collection(NODES),
                Step::Index(
                    Index::new(NODES, "name_1", &[("space", 1), ("parent", 1), ("name", 1)])
                        .unique()
                        .only(|| doc! { "live": true }),
                ),
                Step::Index(Index::new(NODES, "parent_1", &[("parent", 1), ("live", 1), ("_id", 1)])),
                Step::Index(
                    Index::new(NODES, "folders_1", &[("parent", 1), ("_id", 1)])
                        .only(|| doc! { "kind": 0, "deleted": false }),
                ),
                Step::Index(
                    Index::new(NODES, BY_NAME, &[("parent", 1), ("kind", 1), ("sort_key", 1), ("_id", 1)])
                        .only(|| doc! { "live": true }),
                ),
                Step::Index(
                    Index::new(NODES, BY_SIZE, &[("parent", 1), ("kind", 1), ("size", 1), ("_id", 1)])
                        .only(|| doc! { "live": true }),
                ),
                Step::Index(
                    Index::new(NODES, BY_TIME, &[("parent", 1), ("kind", 1), ("modified_at", 1), ("_id", 1)])
                        .only(|| doc! { "live": true }),
                ),
                Step::Index(
                    Index::new(
                        NODES,
                        BY_TYPE,
                        &[("parent", 1), ("kind", 1), ("mime", 1), ("sort_key", 1), ("_id", 1)],
                    )
                    .only(|| doc! { "live": true }),
                ),
                Step::Index(
                    Index::new(NODES, "trash_1", &[("space", 1), ("trashed_at", -1), ("_id", -1)])
                        .only(|| doc! { "in_trash": true }),
                ),
                Step::Index(
                    Index::new(NODES, "trash_age_1", &[("trashed_at", 1), ("_id", 1)])
                        .only(|| doc! { "in_trash": true }),
                ),
                Step::Index(
                    Index::new(NODES, "tombstones_1", &[("deleted_at", 1), ("_id", 1)])
                        .only(|| doc! { "deleted": true }),
                ),
                Step::Index(
                    Index::new(NODES, "blob_1", &[("content.blob", 1)]).only(|| doc! { "has_content": true }),
                ),
                Step::Collection(VERSIONS),
                Step::Index(Index::new(VERSIONS, "node_1", &[("node", 1), ("version", -1)]).unique()),
                Step::Index(Index::new(VERSIONS, "blob_1", &[("blob", 1)])),
                Step::Collection(BLOBS),
                Step::Index(
                    Index::new(BLOBS, "condemned_1", &[("condemned_at", 1)])
                        .only(|| doc! { "condemned": true }),
                ),
                Step::Collection(THUMBNAILS),
                Step::Index(Index::new(THUMBNAILS, "original_1", &[("original", 1), ("size", 1)]).unique()),
                Step::Outbox(OUTBOX),
            ],
        },
        Migration {
            version: Version { major: 1, minor: 1 },
            steps: &[
                Step::Index(
                    Index::new(BLOBS, "damaged_1", &[("damaged_at", 1)]).only(|| doc! { "damaged": true }),
                ),
                // for counting a space
                Step::Index(Index::new(NODES, "space_1", &[("space", 1), ("_id", 1)])),
            ],
        },
        Migration {
            version: Version { major: 1, minor: 2 },
            steps: &[
                Step::Collection(UPLOADS),
                Step::Index(Index::new(UPLOADS, "blob_1", &[("blob", 1)]).unique()),
                Step::Index(
                    Index::new(UPLOADS, "owner_1", &[("owner", 1), ("_id", -1)])
                        .only(|| doc! { "unfinished": true }),
                ),
                Step::Index(Index::new(UPLOADS, "expiry_1", &[("expires_at", 1)])),
                Step::Index(
                    Index::new(UPLOADS, "parts_1", &[("parts", 1)]).only(|| doc! { "unfinished": true }),
                ),
            ],
        },
        Migration {
            version: Version { major: 1, minor: 3 },
            steps: &[
                Step::Collection(SHARES),
                // with the space in front, so that shares can be sharded by it
                Step::Index(
                    Index::new(
                        SHARES,
                        "grant_1",
                        &[("space", 1), ("node", 1), ("to_group", 1), ("grantee", 1)],
                    )
                    .unique(),
                ),
                Step::Index(Index::new(SHARES, "space_1", &[("space", 1), ("_id", -1)])),
                Step::Index(Index::new(SHARES, "giver_1", &[("by", 1), ("_id", -1)])),
                Step::Index(Index::new(
                    SHARES,
                    "receiver_1",
                    &[("grantee", 1), ("to_group", 1), ("_id", -1)],
                )),
                Step::Collection(LINKS),
                Step::Index(Index::new(LINKS, "id_1", &[("id", 1)])),
                Step::Index(Index::new(LINKS, "node_1", &[("node", 1), ("id", -1)])),
                Step::Index(Index::new(LINKS, "space_1", &[("space", 1), ("id", -1)])),
                Step::Index(Index::new(LINKS, "maker_1", &[("by", 1), ("id", -1)])),
                Step::Index(
                    Index::new(NODES, "public_1", &[("space", 1), ("_id", -1)])
                        .only(|| doc! { "public_since": { "$exists": true } }),
                ),
            ],
        },
        Migration {
            version: Version { major: 1, minor: 4 },
            steps: &[
                Step::Collection(STARS),
                Step::Index(Index::new(STARS, "latest_1", &[("user", 1), ("at", -1), ("node", -1)])),
                Step::Index(Index::new(STARS, "node_1", &[("node", 1)])),
                Step::Index(
                    Index::new(NODES, "tags_1", &[("space", 1), ("tags.folded", 1), ("_id", -1)])
                        .only(|| doc! { "tagged": true }),
                ),
                Step::Collection(COPIES),
                Step::Index(
                    Index::new(COPIES, "ended_1", &[("ended_at", 1)]).only(|| doc! { "running": false }),
                ),
                Step::Collection(COPY_FRONTS),
                Step::Index(Index::new(COPY_FRONTS, "copy_1", &[("copy", 1), ("target", -1)]).unique()),
                // what somebody last gave content to
                Step::Index(
                    Index::new(NODES, "recent_1", &[("content.by", 1), ("content.at", -1), ("_id", -1)])
                        .only(|| doc! { "live": true }),
                ),
            ],
        },
        OPERATIONS_1_5,
        schema_search::MIGRATION,
        schema_activity::MIGRATION,
        KEYED_1_8,
        INTO_SPACES_1_9,
        FOLDERS_1_10,
        BY_LINKS_1_11,
        RETURNS_1_12,
    ],
};

/// Uploads that come by a link.
const BY_LINKS_1_11: Migration = Migration {
    version: Version { major: 1, minor: 11 },
    steps: &[Step::Index(
        Index::new(UPLOADS, "link_1", &[("link", 1), ("_id", -1)]).only(|| doc! { "unfinished": true }),
    )],
};

/// What was restored while its folder was in the trash, and returns to it; it leaves the names alone under which something else comes back.
const RETURNS_1_12: Migration = Migration {
    version: Version { major: 1, minor: 12 },
    steps: &[
        Step::Index(
            Index::new(NODES, "returning_1", &[("space", 1), ("returns.after", 1), ("_id", 1)])
                .only(|| doc! { "returns.after": { "$exists": true } }),
        ),
        Step::Index(
            Index::new(NODES, "trash_name_1", &[("space", 1), ("parent", 1), ("name", 1)])
                .only(|| doc! { "in_trash": true }),
        ),
    ],
};

/// Uploads of others into a space, which its owner can see and end.
const INTO_SPACES_1_9: Migration = Migration {
    version: Version { major: 1, minor: 9 },
    steps: &[Step::Index(
        Index::new(UPLOADS, "space_1", &[("space", 1), ("_id", -1)]).only(|| doc! { "unfinished": true }),
    )],
};

/// Requests with a key of their own.
const KEYED_1_8: Migration =
    Migration { version: Version { major: 1, minor: 8 }, steps: &keyed::steps(keyed::FILES) };

/// Folders that a search leaves out with all below them, and folders that running copies do not copy.
const FOLDERS_1_10: Migration = Migration {
    version: Version { major: 1, minor: 10 },
    steps: &[
        // the trashed ones and those with tombstones
        Step::Index(
            Index::new(NODES, "hidden_1", &[("space", 1), ("_id", 1)])
                .only(|| doc! { "kind": 0, "live": false }),
        ),
        Step::Collection(COPY_FOLDERS),
        Step::Index(Index::new(COPY_FOLDERS, "copy_1", &[("copy", 1), ("node", 1)]).unique()),
        Step::Index(Index::new(COPY_FOLDERS, "node_1", &[("node", 1), ("copy", 1)])),
    ],
};

/// What people did, so that it can be undone.
const OPERATIONS_1_5: Migration = Migration {
    version: Version { major: 1, minor: 5 },
    steps: &[
        Step::Collection(OPERATIONS),
        Step::Index(Index::new(OPERATIONS, "user_1", &[("user", 1), ("_id", -1)])),
        Step::Index(Index::new(OPERATIONS, "age_1", &[("at", 1)])),
        Step::Collection(OPERATION_PARTS),
        Step::Index(Index::new(OPERATION_PARTS, "part_1", &[("operation", 1), ("number", 1)]).unique()),
        Step::Index(Index::new(COPIES, "user_1", &[("user", 1), ("_id", -1)])),
    ],
};
