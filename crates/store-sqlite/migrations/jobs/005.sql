-- up to which event of its owner's files a webhook was told
ALTER TABLE webhooks ADD COLUMN files_told INTEGER;

CREATE INDEX webhooks_of_files ON webhooks (id) WHERE off_why IS NULL AND instr(events, '"file.') > 0;
