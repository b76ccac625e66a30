-- uploads that come by a link: of nobody who has an account
ALTER TABLE uploads ADD COLUMN link BLOB;

CREATE INDEX uploads_link ON uploads (link, id) WHERE link IS NOT NULL AND state != 'done';
