-- what people did, so that it can be undone
CREATE TABLE operations (
    id     BLOB PRIMARY KEY,
    user   BLOB NOT NULL,
    within BLOB,
    at     INTEGER NOT NULL,
    undoes BLOB,
    kind   TEXT,    -- of all of its changes, if they are alike
    node   BLOB NOT NULL,
    parts  INTEGER NOT NULL,
    undone INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX operations_user ON operations (user, id);
CREATE INDEX operations_at ON operations (at);

CREATE TABLE operation_parts (
    operation       BLOB NOT NULL,
    number          INTEGER NOT NULL,
    node            BLOB NOT NULL,
    kind            TEXT NOT NULL,
    undo            TEXT NOT NULL, -- what brings it back, as JSON
    revision_before INTEGER NOT NULL,
    revision_after  INTEGER NOT NULL,
    undone_by       BLOB,
    PRIMARY KEY (operation, number)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER operations_parts AFTER DELETE ON operations
BEGIN
    DELETE FROM operation_parts WHERE operation = OLD.id;
END;

CREATE INDEX copies_user ON copies (user, id);
