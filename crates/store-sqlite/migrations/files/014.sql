-- when what is found by words last changed: a search puts many nodes in order by these rows alone, and goes through a space from its latest change on
-- where a word is in so many names that the page is full at once
ALTER TABLE search_nodes ADD COLUMN space BLOB NOT NULL DEFAULT x'';
ALTER TABLE search_nodes ADD COLUMN modified_at INTEGER NOT NULL DEFAULT 0;

UPDATE search_nodes SET (space, modified_at) = (SELECT n.space, n.modified_at FROM nodes n WHERE n.id = search_nodes.node)
    WHERE node IN (SELECT id FROM nodes);

CREATE INDEX search_latest ON search_nodes (space, modified_at, node);

CREATE TRIGGER nodes_latest AFTER UPDATE OF modified_at, space ON nodes
BEGIN
    UPDATE search_nodes SET space = NEW.space, modified_at = NEW.modified_at WHERE node = NEW.id;
END;
