CREATE TABLE api_tokens (
    id           BLOB PRIMARY KEY,
    user         BLOB NOT NULL,
    name         TEXT NOT NULL,
    hash         BLOB NOT NULL UNIQUE,
    scopes       TEXT NOT NULL,
    folder       BLOB,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    revoked_at   INTEGER,
    last_used_at INTEGER,
    -- null while nothing ends it
    ended_at     INTEGER GENERATED ALWAYS AS (min(coalesce(expires_at, revoked_at), coalesce(revoked_at, expires_at))) VIRTUAL
) STRICT, WITHOUT ROWID;

CREATE INDEX api_tokens_user ON api_tokens (user, id);
CREATE INDEX api_tokens_ended ON api_tokens (ended_at) WHERE ended_at IS NOT NULL;

-- who did what, newest last
CREATE TABLE audit (
    id         BLOB PRIMARY KEY,
    at         INTEGER NOT NULL,
    actor      BLOB,
    session    BLOB,
    token      BLOB,
    action     TEXT NOT NULL,
    target     TEXT,
    address    TEXT,
    details    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX audit_at ON audit (at, id);
CREATE INDEX audit_actor ON audit (actor, at, id);
CREATE INDEX audit_action ON audit (action, at, id);

CREATE TABLE invitations (
    id          BLOB PRIMARY KEY,
    hash        BLOB NOT NULL UNIQUE,
    address     TEXT,
    role        TEXT NOT NULL,
    made_by     BLOB NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX invitations_ends ON invitations (expires_at);

CREATE TABLE groups (
    id         BLOB PRIMARY KEY,
    name       TEXT NOT NULL,
    name_key   TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE group_members (
    "group" BLOB NOT NULL,
    user    BLOB NOT NULL,
    PRIMARY KEY ("group", user)
) STRICT, WITHOUT ROWID;

CREATE INDEX group_members_user ON group_members (user, "group");
