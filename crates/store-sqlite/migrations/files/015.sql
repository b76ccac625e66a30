-- how often what a folder lists has changed: where an entry stands in a long list is remembered, and true as long as this stays. What comes is counted by the
-- program beside it (a trigger would let each insertion keep a journal of its own); what is deleted lies below a tombstone, where no list is
CREATE TABLE listings (
    folder  BLOB PRIMARY KEY,
    changes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER nodes_change AFTER UPDATE OF parent, live, kind, sort_key, size, modified_at, mime ON nodes
    WHEN (OLD.live = 1 OR NEW.live = 1)
        AND (OLD.parent, OLD.live, OLD.kind, OLD.sort_key, OLD.size, OLD.modified_at, OLD.mime)
            IS NOT (NEW.parent, NEW.live, NEW.kind, NEW.sort_key, NEW.size, NEW.modified_at, NEW.mime)
BEGIN
    INSERT INTO listings (folder, changes) SELECT NEW.parent, 1 WHERE NEW.parent IS NOT NULL
        ON CONFLICT (folder) DO UPDATE SET changes = changes + 1;
    INSERT INTO listings (folder, changes) SELECT OLD.parent, 1 WHERE OLD.parent IS NOT NEW.parent AND OLD.parent IS NOT NULL
        ON CONFLICT (folder) DO UPDATE SET changes = changes + 1;
END;

CREATE TRIGGER nodes_go AFTER DELETE ON nodes WHEN OLD.kind = 0
BEGIN
    DELETE FROM listings WHERE folder = OLD.id;
END;
