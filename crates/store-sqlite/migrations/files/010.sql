-- requests that may be sent again under a key: whose it is, how far it is, what it was answered
CREATE TABLE keyed_requests (
    id          INTEGER PRIMARY KEY,
    key         BLOB NOT NULL UNIQUE, -- a hash
    user        BLOB NOT NULL,
    reserved_at INTEGER NOT NULL,
    run         INTEGER NOT NULL,
    until       INTEGER NOT NULL,     -- end of the lease
    fingerprint BLOB NOT NULL,        -- sealed
    marked      INTEGER NOT NULL,     -- 1 in the commit of the first change
    answer      BLOB                  -- sealed
) STRICT;

CREATE INDEX keyed_requests_user ON keyed_requests (user, reserved_at);
CREATE INDEX keyed_requests_age ON keyed_requests (reserved_at);
