-- what happened to files and folders; the events of a space have numbers one after another, and this is the last that was given
ALTER TABLE spaces ADD COLUMN events INTEGER NOT NULL DEFAULT 0;

-- in the order of the commits
CREATE TABLE activity (
    id         INTEGER PRIMARY KEY,
    space      BLOB NOT NULL,
    seq        INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    node       BLOB NOT NULL,
    folder     INTEGER NOT NULL,
    name       TEXT NOT NULL,
    parent     BLOB,
    old_name   TEXT, -- null if it was there before
    old_parent BLOB,
    user       BLOB,
    link       BLOB
) STRICT;

CREATE UNIQUE INDEX activity_place ON activity (space, seq);
CREATE INDEX activity_node ON activity (node, seq);
