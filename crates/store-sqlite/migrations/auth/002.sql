-- for which token each was given, and when: the one before is taken again for a short while, since the answer may have been lost.
-- None for the first of a session, and for those from before this version, which are not taken again.
ALTER TABLE refresh_tokens ADD COLUMN given_for BLOB;
ALTER TABLE refresh_tokens ADD COLUMN given_at INTEGER;
