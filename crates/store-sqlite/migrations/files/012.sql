-- folders that are in the trash or gone themselves: a search leaves out what lies below them
CREATE INDEX nodes_hidden ON nodes (space, id) WHERE kind = 0 AND live = 0;

-- folders that running copies have made: those do not copy them, wherever they are moved to
CREATE TABLE copy_folders (
    copy BLOB NOT NULL,
    node BLOB NOT NULL,
    PRIMARY KEY (copy, node)
) STRICT, WITHOUT ROWID;

CREATE INDEX copy_folders_node ON copy_folders (node, copy);

-- words that the upkeep writes anew; copies of folders with tags had those of their names alone
ALTER TABLE search_nodes ADD COLUMN stale INTEGER NOT NULL DEFAULT 0;

UPDATE search_nodes SET stale = 1 WHERE node IN (SELECT id FROM nodes WHERE kind = 0 AND tags != '');
