-- what people find files by. Their tags, one a line, as they were given
ALTER TABLE nodes ADD COLUMN tags TEXT NOT NULL DEFAULT '';

CREATE TABLE node_tags (
    space  BLOB NOT NULL,
    folded TEXT NOT NULL, -- by what tags are compared
    node   BLOB NOT NULL,
    tag    TEXT NOT NULL,
    PRIMARY KEY (space, folded, node)
) STRICT, WITHOUT ROWID;

CREATE INDEX node_tags_node ON node_tags (node);

CREATE TABLE stars (
    user BLOB NOT NULL,
    node BLOB NOT NULL,
    at   INTEGER NOT NULL,
    PRIMARY KEY (user, node)
) STRICT, WITHOUT ROWID;

CREATE INDEX stars_node ON stars (node);
CREATE INDEX stars_latest ON stars (user, at, node);

-- what somebody last gave content to
CREATE INDEX nodes_recent ON nodes (content_by, content_at, id) WHERE live = 1 AND content_by IS NOT NULL;

CREATE TRIGGER nodes_marks AFTER DELETE ON nodes
BEGIN
    DELETE FROM stars WHERE node = OLD.id;
    DELETE FROM node_tags WHERE node = OLD.id;
END;

-- since when a version is no longer the content of its file
ALTER TABLE versions ADD COLUMN replaced_at INTEGER;

UPDATE versions SET replaced_at = coalesce(
    (SELECT v.at FROM versions v WHERE v.node = versions.node AND v.version > versions.version ORDER BY v.version LIMIT 1),
    (SELECT content_at FROM nodes WHERE id = versions.node),
    at
);

-- copies of folders, which are made in steps
CREATE TABLE copies (
    id       BLOB PRIMARY KEY,
    user     BLOB NOT NULL,
    within   BLOB,
    source   BLOB NOT NULL,
    root     BLOB NOT NULL,
    state    TEXT NOT NULL, -- running, done, failed
    reason   TEXT,
    nodes    INTEGER NOT NULL,
    bytes    INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    ended_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX copies_ended ON copies (ended_at) WHERE ended_at IS NOT NULL;

-- folders of which not all is copied
CREATE TABLE copy_fronts (
    copy   BLOB NOT NULL,
    target BLOB NOT NULL,
    source BLOB NOT NULL,
    after  BLOB,
    PRIMARY KEY (copy, target)
) STRICT, WITHOUT ROWID;
