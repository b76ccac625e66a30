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
