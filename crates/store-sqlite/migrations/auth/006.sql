-- who somebody is to an identity provider, and whose account that opens
CREATE TABLE identities (
    id           BLOB PRIMARY KEY,
    user         BLOB NOT NULL,
    issuer       TEXT NOT NULL,
    subject      TEXT NOT NULL,
    address      TEXT,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX identities_subject ON identities (issuer, subject);
CREATE INDEX identities_user ON identities (user, id);
