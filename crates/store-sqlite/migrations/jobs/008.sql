-- what happened to the jobs of a user, in its order; nobody's are not asked for
CREATE INDEX events_user ON events (user, seq) WHERE user <> x'';
