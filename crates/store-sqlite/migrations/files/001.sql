CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO meta (key, value) VALUES ('store_id', lower(hex(randomblob(16))));

CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- files and folders, roots and deleted ones left out
INSERT INTO counters (name, value) VALUES ('nodes', 0);

CREATE TABLE spaces (
    id             BLOB PRIMARY KEY,
    owner          BLOB NOT NULL UNIQUE,
    root           BLOB NOT NULL,
    tree_version   INTEGER NOT NULL DEFAULT 1,
    used_bytes     INTEGER NOT NULL DEFAULT 0 CHECK (used_bytes >= 0),
    reserved_bytes INTEGER NOT NULL DEFAULT 0 CHECK (reserved_bytes >= 0),
    quota_bytes    INTEGER,
    node_count     INTEGER NOT NULL DEFAULT 0 CHECK (node_count >= 0),
    trash_count    INTEGER NOT NULL DEFAULT 0 CHECK (trash_count >= 0),
    -- nothing lies deeper; it only grows, so most moves need no walk through what they move
    depth_bound    INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE reservations (
    id         BLOB PRIMARY KEY,
    space      BLOB NOT NULL,
    bytes      INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX reservations_expiry ON reservations (expires_at);

CREATE TABLE nodes (
    id                  BLOB PRIMARY KEY,
    space               BLOB NOT NULL,
    owner               BLOB NOT NULL,
    parent              BLOB,
    name                TEXT NOT NULL,
    sort_key            TEXT NOT NULL,
    kind                INTEGER NOT NULL, -- 0 folder, 1 file
    live                INTEGER NOT NULL, -- 1 unless trashed or deleted by itself
    created_at          INTEGER NOT NULL,
    modified_at         INTEGER NOT NULL,
    revision            INTEGER NOT NULL DEFAULT 1,
    trashed_at          INTEGER,
    trashed_by          BLOB,
    deleted_at          INTEGER,          -- a tombstone: nothing below exists any more
    public_since        INTEGER,
    public_by           BLOB,
    classic_name        TEXT,
    classic_type        TEXT,
    folder_count        INTEGER NOT NULL DEFAULT 0 CHECK (folder_count >= 0), -- live children
    file_count          INTEGER NOT NULL DEFAULT 0 CHECK (file_count >= 0),
    version             INTEGER,
    blob                BLOB,
    size                INTEGER NOT NULL DEFAULT 0,
    mime                TEXT NOT NULL DEFAULT '',
    content_modified_at INTEGER,
    content_at          INTEGER,
    content_by          BLOB
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX nodes_name ON nodes (parent, name) WHERE live = 1;
CREATE INDEX nodes_parent ON nodes (parent, live, id);
CREATE INDEX nodes_folders ON nodes (parent, id) WHERE kind = 0 AND deleted_at IS NULL;
-- the four sorts: a range for each kind, in the order of the list
CREATE INDEX nodes_by_name ON nodes (parent, kind, sort_key, id) WHERE live = 1;
CREATE INDEX nodes_by_size ON nodes (parent, kind, size, id) WHERE live = 1;
CREATE INDEX nodes_by_time ON nodes (parent, kind, modified_at, id) WHERE live = 1;
CREATE INDEX nodes_by_type ON nodes (parent, kind, mime, sort_key, id) WHERE live = 1;
CREATE INDEX nodes_trash ON nodes (space, trashed_at, id) WHERE trashed_at IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX nodes_trash_age ON nodes (trashed_at, id) WHERE trashed_at IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX nodes_tombstones ON nodes (deleted_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX nodes_blob ON nodes (blob) WHERE blob IS NOT NULL;

-- contents that a file had before the one in its row
CREATE TABLE versions (
    node        BLOB NOT NULL,
    version     INTEGER NOT NULL,
    blob        BLOB NOT NULL,
    size        INTEGER NOT NULL,
    mime        TEXT NOT NULL,
    modified_at INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    by          BLOB NOT NULL,
    PRIMARY KEY (node, version)
) STRICT, WITHOUT ROWID;

CREATE INDEX versions_blob ON versions (blob);

CREATE TABLE blobs (
    key               BLOB PRIMARY KEY,
    size              INTEGER NOT NULL,
    sha256            BLOB NOT NULL,
    crc32             INTEGER NOT NULL,
    inline_id         INTEGER,          -- its row in inline_bytes, if the bytes are here
    refs              INTEGER NOT NULL CHECK (refs >= 0),
    condemned_at      INTEGER,          -- since when there are no references; a live blob has none
    thumbnails        TEXT NOT NULL DEFAULT 'none',
    thumbnails_reason TEXT,
    width             INTEGER,
    height            INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX blobs_condemned ON blobs (condemned_at) WHERE condemned_at IS NOT NULL;

CREATE TABLE inline_bytes (
    id    INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;

CREATE TABLE thumbnails (
    original BLOB NOT NULL,
    size     INTEGER NOT NULL,
    key      BLOB NOT NULL,
    mime     TEXT NOT NULL,
    PRIMARY KEY (original, size)
) STRICT, WITHOUT ROWID;

CREATE INDEX thumbnails_key ON thumbnails (key);

-- jobs on their way to the job store, in the order of their commits
CREATE TABLE outbox (
    seq          INTEGER PRIMARY KEY,
    id           BLOB NOT NULL UNIQUE,
    job          TEXT NOT NULL,
    sent         INTEGER NOT NULL DEFAULT 0,
    sent_at      INTEGER,
    leased_until INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX outbox_unsent ON outbox (seq) WHERE sent_at IS NULL;
CREATE INDEX outbox_sent ON outbox (sent_at) WHERE sent_at IS NOT NULL;
