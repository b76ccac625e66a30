-- Whose turn it is: for each type and user that waits, works, or was served lately, how many jobs are active, when one was begun last, and which job is next.
CREATE TABLE turns (
    type     TEXT NOT NULL,
    user     BLOB NOT NULL,
    active   INTEGER NOT NULL CHECK (active >= 0),
    served   INTEGER NOT NULL, -- microseconds since 1970, never the same twice; 0 for those who were not served yet
    priority INTEGER,          -- of the next job; null if none is ready
    head     INTEGER,          -- its number
    PRIMARY KEY (type, user)
) STRICT, WITHOUT ROWID;

-- the columns beside a minimum are of its row
INSERT INTO turns (type, user, active, served, priority, head)
SELECT type, user, 0, 0, min(priority), head FROM ready GROUP BY type, user;

INSERT INTO turns (type, user, active, served)
SELECT type, user, count(*), 0 FROM jobs WHERE state = 1 GROUP BY type, user
ON CONFLICT (type, user) DO UPDATE SET active = excluded.active;

DROP TABLE ready;
DROP TABLE active_users;
DROP INDEX jobs_ready;

-- the order of claims
CREATE INDEX turns_order ON turns (type, priority, active, served, head) WHERE head IS NOT NULL;
-- what is forgotten
CREATE INDEX turns_idle ON turns (served) WHERE active = 0 AND head IS NULL;
-- the last one
CREATE INDEX turns_served ON turns (served);
-- the next job of a user
CREATE INDEX jobs_line ON jobs (type, user, priority, number) WHERE state = 0;
