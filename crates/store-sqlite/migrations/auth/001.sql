CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- accounts, bootstrap administrators left out
INSERT INTO counters (name, value) VALUES ('users', 0);

CREATE TABLE users (
    id            BLOB PRIMARY KEY,
    address       TEXT NOT NULL,
    address_key   TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    role          TEXT NOT NULL,
    disabled      INTEGER NOT NULL,
    bootstrap     INTEGER NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX users_admins ON users (id) WHERE role = 'admin';

CREATE TABLE sessions (
    id           BLOB PRIMARY KEY,
    user         BLOB NOT NULL,
    kind         TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    revoked_at   INTEGER,
    device       TEXT,
    address      TEXT,
    refresh_hash BLOB,
    ended_at     INTEGER NOT NULL GENERATED ALWAYS AS (min(expires_at, coalesce(revoked_at, expires_at))) VIRTUAL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_ended ON sessions (ended_at);
CREATE INDEX sessions_user ON sessions (user, id);

-- every refresh token that a session has had, so that a second use of any of them is seen
CREATE TABLE refresh_tokens (
    hash    BLOB PRIMARY KEY,
    session BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX refresh_tokens_session ON refresh_tokens (session);

CREATE TABLE signing_keys (
    id         BLOB PRIMARY KEY,
    public     BLOB NOT NULL,
    sealed     BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    retires_at INTEGER
) STRICT, WITHOUT ROWID;

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
