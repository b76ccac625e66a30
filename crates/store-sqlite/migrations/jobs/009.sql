-- The jobs of a user are listed by type, too: with the type behind the user no other ones are walked over.
DROP INDEX jobs_by_user;
CREATE INDEX jobs_by_user ON jobs (user, type, state, number);
