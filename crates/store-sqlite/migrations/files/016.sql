-- what was restored while its folder was in the trash returns to that folder: under the name that it had, if it has got another, and after what has to come
-- back from the trash first
ALTER TABLE nodes ADD COLUMN return_to BLOB;
ALTER TABLE nodes ADD COLUMN return_as TEXT;
ALTER TABLE nodes ADD COLUMN return_after BLOB;

CREATE INDEX nodes_returning ON nodes (return_after, id) WHERE return_after IS NOT NULL;

-- what was restored elsewhere leaves the names alone under which something else comes back there
CREATE INDEX nodes_trash_name ON nodes (parent, name) WHERE trashed_at IS NOT NULL AND deleted_at IS NULL;
