ALTER TABLE jobs ADD COLUMN unique_key TEXT;
ALTER TABLE jobs ADD COLUMN remove_on_complete INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN progress_data TEXT;
-- since when it is, or last was, ready; null for jobs from before
ALTER TABLE jobs ADD COLUMN ready_at INTEGER;

-- a key belongs to one live job
CREATE UNIQUE INDEX jobs_key ON jobs (unique_key) WHERE unique_key IS NOT NULL AND state IN (0, 1, 4);

-- what was set for a type, and what is counted for it
CREATE TABLE types (
    type         TEXT PRIMARY KEY,
    paused       INTEGER NOT NULL DEFAULT 0,
    max          INTEGER, -- jobs that may begin within per_ms
    per_ms       INTEGER,
    window_at    INTEGER NOT NULL DEFAULT 0, -- when the first of them began
    window_count INTEGER NOT NULL DEFAULT 0,
    work_ms      INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- what ended in each minute
CREATE TABLE minutes (
    minute    INTEGER NOT NULL, -- since 1970
    type      TEXT NOT NULL,
    completed INTEGER NOT NULL,
    failed    INTEGER NOT NULL,
    waited_ms INTEGER NOT NULL,
    worked_ms INTEGER NOT NULL,
    PRIMARY KEY (minute, type)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    seq   INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice
    at    INTEGER NOT NULL,
    job   BLOB NOT NULL,
    type  TEXT NOT NULL,
    user  BLOB NOT NULL,
    event INTEGER NOT NULL,
    data  TEXT
) STRICT;

-- by the jobs' numbers, filled in the background up to the number that meta has as `indexed`
CREATE VIRTUAL TABLE texts USING fts5 (text, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2');

CREATE TABLE schedules (
    id         BLOB PRIMARY KEY,
    spec       TEXT NOT NULL,
    paused     INTEGER NOT NULL,
    next_at    INTEGER,
    last_at    INTEGER,
    user       BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    revision   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX schedules_due ON schedules (next_at) WHERE next_at IS NOT NULL;
