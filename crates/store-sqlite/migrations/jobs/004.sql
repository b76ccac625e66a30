CREATE TABLE webhooks (
    id              BLOB PRIMARY KEY,
    user            BLOB NOT NULL,
    url             TEXT NOT NULL,
    description     TEXT NOT NULL,
    events          TEXT NOT NULL, -- JSON: the words of what it is told of
    all_jobs        INTEGER NOT NULL,
    secret          BLOB NOT NULL, -- sealed
    previous_secret BLOB,          -- sealed
    previous_until  INTEGER,
    off_why         TEXT,          -- null while it is on
    off_at          INTEGER,
    failing_since   INTEGER,
    failures        INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    revision        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX webhooks_by_user ON webhooks (user, created_at, id);
CREATE INDEX webhooks_of_all ON webhooks (created_at) WHERE all_jobs = 1 AND off_why IS NULL;

CREATE TABLE deliveries (
    id          BLOB NOT NULL UNIQUE,
    webhook     BLOB NOT NULL,
    event       TEXT NOT NULL,
    body        TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    state       TEXT NOT NULL,
    attempts    TEXT NOT NULL, -- JSON
    finished_at INTEGER
) STRICT;

CREATE INDEX deliveries_by_webhook ON deliveries (webhook, created_at, id);
CREATE INDEX deliveries_by_time ON deliveries (created_at);

CREATE TABLE notifications (
    id         BLOB NOT NULL UNIQUE,
    user       BLOB NOT NULL,
    kind       TEXT NOT NULL,
    text       TEXT NOT NULL,
    data       TEXT NOT NULL, -- JSON
    created_at INTEGER NOT NULL,
    read_at    INTEGER
) STRICT;

CREATE INDEX notifications_by_user ON notifications (user, created_at, id);
CREATE INDEX notifications_unread ON notifications (user, created_at, id) WHERE read_at IS NULL;
CREATE INDEX notifications_by_time ON notifications (created_at);
