-- rights to nodes that people were given
CREATE TABLE shares (
    id         BLOB PRIMARY KEY,
    node       BLOB NOT NULL,
    space      BLOB NOT NULL,
    to_group   INTEGER NOT NULL, -- 0 the grantee is an account, 1 a group
    grantee    BLOB NOT NULL,
    role       TEXT NOT NULL,
    given_by   BLOB NOT NULL,
    at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX shares_grant ON shares (node, to_group, grantee);
CREATE INDEX shares_space ON shares (space, id);
CREATE INDEX shares_giver ON shares (given_by, id);
CREATE INDEX shares_receiver ON shares (grantee, to_group, id);


-- links, which open a node to whoever has the token
CREATE TABLE links (
    id            BLOB PRIMARY KEY,
    token         BLOB NOT NULL UNIQUE,
    node          BLOB NOT NULL,
    space         BLOB NOT NULL,
    role          TEXT NOT NULL,
    label         TEXT NOT NULL,
    password_hash TEXT,
    expires_at    INTEGER,
    max_downloads INTEGER,
    downloads     INTEGER NOT NULL DEFAULT 0,
    opens         INTEGER NOT NULL DEFAULT 0,
    last_used_at  INTEGER,
    made_by       BLOB NOT NULL,
    owner         BLOB NOT NULL, -- of the node
    at            INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX links_node ON links (node, id);
CREATE INDEX links_space ON links (space, id);
CREATE INDEX links_maker ON links (made_by, id);

CREATE INDEX nodes_public ON nodes (space, id) WHERE public_since IS NOT NULL AND deleted_at IS NULL;

-- a node takes what opened it along
CREATE TRIGGER nodes_shares AFTER DELETE ON nodes
BEGIN
    DELETE FROM shares WHERE node = OLD.id;
    DELETE FROM links WHERE node = OLD.id;
END;
