-- since when the content is known to be damaged or missing
ALTER TABLE blobs ADD COLUMN damaged_at INTEGER;

CREATE INDEX blobs_damaged ON blobs (damaged_at) WHERE damaged_at IS NOT NULL;

-- facts of pictures, sounds and films beside width and height
ALTER TABLE blobs ADD COLUMN taken_at TEXT;
ALTER TABLE blobs ADD COLUMN camera TEXT;
ALTER TABLE blobs ADD COLUMN duration_ms INTEGER;

-- how often a recount put the space's counters right: of two that counted the same state, one does
ALTER TABLE spaces ADD COLUMN recounts INTEGER NOT NULL DEFAULT 0;
