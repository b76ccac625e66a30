-- accounts that wait to be deleted
CREATE INDEX users_deletes ON users (deletes_at, id) WHERE deletes_at IS NOT NULL;
-- second factors, to be sealed anew
CREATE INDEX users_totp ON users (id) WHERE totp IS NOT NULL;
