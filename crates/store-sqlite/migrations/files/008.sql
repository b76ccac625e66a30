-- What files are found by. The program parts texts into words and folds them; the tokenizer parts at spaces alone. Each word has the hexadecimal id of its
-- space before it, so that a search reads the words of one space and no other.
CREATE TABLE search_nodes (
    id   INTEGER PRIMARY KEY,
    node BLOB NOT NULL UNIQUE
) STRICT;

CREATE VIRTUAL TABLE name_words USING fts5 (
    name, tags, content = '', contentless_delete = 1, detail = column, tokenize = 'ascii'
);

CREATE TRIGGER nodes_search AFTER DELETE ON nodes
BEGIN
    DELETE FROM name_words WHERE rowid = (SELECT id FROM search_nodes WHERE node = OLD.id);
    DELETE FROM search_nodes WHERE node = OLD.id;
END;

-- the texts of contents, for each space that has the content; empty where there is none to be read
CREATE TABLE texts (
    id    INTEGER PRIMARY KEY,
    blob  BLOB NOT NULL,
    space BLOB NOT NULL,
    text  TEXT NOT NULL,
    UNIQUE (blob, space)
) STRICT;

CREATE VIRTUAL TABLE text_words USING fts5 (
    words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii'
);

CREATE TRIGGER blobs_texts AFTER DELETE ON blobs
BEGIN
    DELETE FROM text_words WHERE rowid IN (SELECT id FROM texts WHERE blob = OLD.key);
    DELETE FROM texts WHERE blob = OLD.key;
END;
