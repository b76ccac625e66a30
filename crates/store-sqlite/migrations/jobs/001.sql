CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
    number        INTEGER PRIMARY KEY AUTOINCREMENT, -- arrival; never given twice
    id            BLOB NOT NULL UNIQUE,
    type          TEXT NOT NULL,
    data          TEXT NOT NULL,
    priority      INTEGER NOT NULL,
    user          BLOB NOT NULL, -- empty for nobody's
    max_attempts  INTEGER NOT NULL,
    backoff       TEXT NOT NULL,
    ttl_ms        INTEGER NOT NULL,
    run_at        INTEGER,
    created_at    INTEGER NOT NULL,
    request_id    TEXT,
    state         INTEGER NOT NULL, -- 0 inactive, 1 active, 2 complete, 3 failed, 4 delayed, 5 cancelled
    progress      INTEGER NOT NULL DEFAULT 0,
    result        TEXT,
    error         TEXT,
    attempts_made INTEGER NOT NULL DEFAULT 0,
    failures      TEXT NOT NULL DEFAULT '[]',
    inserted_at   INTEGER NOT NULL,
    started_at    INTEGER,
    updated_at    INTEGER NOT NULL,
    finished_at   INTEGER,
    worker        TEXT,
    generation    INTEGER NOT NULL DEFAULT 0, -- counts the claims
    lease_until   INTEGER,
    ttl_until     INTEGER,
    due_at        INTEGER,
    ends_at       INTEGER GENERATED ALWAYS AS (min(lease_until, ttl_until)) VIRTUAL
) STRICT;

CREATE INDEX jobs_ready ON jobs (type, priority, user, number) WHERE state = 0;
CREATE INDEX jobs_active ON jobs (ends_at) WHERE state = 1;
CREATE INDEX jobs_due ON jobs (due_at) WHERE state = 4;
CREATE INDEX jobs_finished ON jobs (state, finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX jobs_by_type ON jobs (type, state, number);
CREATE INDEX jobs_by_user ON jobs (user, state, number);

-- who waits with what: the first job of each user, type and priority, and how many jobs of the user are active
CREATE TABLE ready (
    user     BLOB NOT NULL,
    type     TEXT NOT NULL,
    priority INTEGER NOT NULL,
    head     INTEGER NOT NULL,
    active   INTEGER NOT NULL,
    PRIMARY KEY (user, type, priority)
) STRICT, WITHOUT ROWID;

-- the order of claims
CREATE INDEX ready_order ON ready (type, priority, active, head);

CREATE TABLE active_users (
    user  BLOB PRIMARY KEY,
    count INTEGER NOT NULL CHECK (count > 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE type_counts (
    type  TEXT NOT NULL,
    state INTEGER NOT NULL,
    count INTEGER NOT NULL CHECK (count >= 0),
    PRIMARY KEY (type, state)
) STRICT, WITHOUT ROWID;

CREATE TABLE user_counts (
    user  BLOB NOT NULL,
    type  TEXT NOT NULL,
    state INTEGER NOT NULL,
    count INTEGER NOT NULL CHECK (count >= 0),
    PRIMARY KEY (user, type, state)
) STRICT, WITHOUT ROWID;

CREATE TABLE job_log (
    number INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    line   TEXT NOT NULL,
    PRIMARY KEY (number, seq)
) STRICT, WITHOUT ROWID;

-- ids of removed jobs, known for a day more; the time is noted by the next call that knows it
CREATE TABLE removed (
    id BLOB PRIMARY KEY,
    at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX removed_at ON removed (at);
