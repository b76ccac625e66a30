-- uploads that come in several goes
CREATE TABLE uploads (
    id          BLOB PRIMARY KEY,
    owner       BLOB NOT NULL,
    space       BLOB NOT NULL,
    parent      BLOB NOT NULL,
    name        TEXT,
    on_conflict TEXT NOT NULL,
    modified_at INTEGER,
    metadata    TEXT,
    -- whole, part, final
    role        TEXT NOT NULL,
    length      INTEGER,
    digest      BLOB,
    blob        BLOB NOT NULL UNIQUE,
    -- bytes that are there, durable
    size        INTEGER NOT NULL,
    blob_state  TEXT NOT NULL,
    file        BLOB NOT NULL,
    -- open, complete, done
    state       TEXT NOT NULL,
    done_file   BLOB,
    reservation BLOB,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    generation  INTEGER NOT NULL,
    lease_until INTEGER,
    -- somebody else wants it
    wanted      INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX uploads_owner ON uploads (owner, id) WHERE state != 'done';
CREATE INDEX uploads_expiry ON uploads (expires_at);

-- what a final upload is made of
CREATE TABLE upload_parts (
    upload   BLOB NOT NULL,
    position INTEGER NOT NULL,
    part     BLOB NOT NULL,
    PRIMARY KEY (upload, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX upload_parts_part ON upload_parts (part);
