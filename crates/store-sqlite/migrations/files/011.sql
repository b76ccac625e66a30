-- uploads of others into a space, which its owner can see and end
CREATE INDEX uploads_space ON uploads (space, id, owner) WHERE state != 'done';
