-- what accounts have asked to take with them
CREATE TABLE exports (
    user         BLOB PRIMARY KEY,
    id           BLOB NOT NULL,
    state        TEXT NOT NULL,
    requested_at INTEGER NOT NULL,
    ended_at     INTEGER,
    expires_at   INTEGER NOT NULL,
    -- the run of the job that wrote the parts
    run          INTEGER NOT NULL DEFAULT 0,
    size_bytes   INTEGER,
    files        TEXT NOT NULL DEFAULT '[]'
) STRICT, WITHOUT ROWID;

CREATE INDEX exports_expires ON exports (expires_at);

-- with rows of up to 256 KiB
CREATE TABLE export_parts (
    export BLOB NOT NULL,
    file   INTEGER NOT NULL,
    number INTEGER NOT NULL,
    bytes  BLOB NOT NULL,
    PRIMARY KEY (export, file, number)
) STRICT;
