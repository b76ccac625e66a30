-- what those who have links are told of their use
ALTER TABLE links ADD COLUMN notify INTEGER NOT NULL DEFAULT 0;
-- uses that no notice has told of
ALTER TABLE links ADD COLUMN new_downloads INTEGER NOT NULL DEFAULT 0;
ALTER TABLE links ADD COLUMN new_drops INTEGER NOT NULL DEFAULT 0;
ALTER TABLE links ADD COLUMN new_file BLOB;
-- uses that the notice tells of which is being given
ALTER TABLE links ADD COLUMN told_downloads INTEGER NOT NULL DEFAULT 0;
ALTER TABLE links ADD COLUMN told_drops INTEGER NOT NULL DEFAULT 0;
-- the job that gives the next one, and when that is due; and when the last one was given
ALTER TABLE links ADD COLUMN notice_job BLOB;
ALTER TABLE links ADD COLUMN notice_due INTEGER;
ALTER TABLE links ADD COLUMN noticed_at INTEGER;
