-- what people do with their own account

-- to a few minutes; none if never since it was opened
ALTER TABLE sessions ADD COLUMN last_used_at INTEGER;

-- codes that went by mail, by their SHA-256; nobody's where there was no account
CREATE TABLE mailed_codes (
    hash       BLOB PRIMARY KEY,
    kind       TEXT NOT NULL,
    user       BLOB,
    address    TEXT,
    other_hash BLOB,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX mailed_codes_user ON mailed_codes (user);
CREATE INDEX mailed_codes_expires ON mailed_codes (expires_at);

ALTER TABLE users ADD COLUMN verified_at INTEGER;
ALTER TABLE users ADD COLUMN name TEXT;
ALTER TABLE users ADD COLUMN preferences TEXT NOT NULL DEFAULT '{}';
-- counts changes of name and preferences
ALTER TABLE users ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
-- the second factor: its secret, sealed
ALTER TABLE users ADD COLUMN totp BLOB;
ALTER TABLE users ADD COLUMN totp_confirmed_at INTEGER;
ALTER TABLE users ADD COLUMN totp_step INTEGER NOT NULL DEFAULT 0;
-- an account that waits to be deleted is disabled
ALTER TABLE users ADD COLUMN deletes_at INTEGER;

CREATE TABLE recovery_codes (
    user BLOB NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (user, hash)
) STRICT, WITHOUT ROWID;

-- from where accounts were signed in to
CREATE TABLE devices (
    user    BLOB NOT NULL,
    hash    BLOB NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (user, hash)
) STRICT, WITHOUT ROWID;
