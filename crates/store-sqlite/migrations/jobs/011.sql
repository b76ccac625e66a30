-- Nobody asks for the jobs of nobody.
DROP INDEX jobs_by_user;
CREATE INDEX jobs_by_user ON jobs (user, type, state, number) WHERE user <> x'';
