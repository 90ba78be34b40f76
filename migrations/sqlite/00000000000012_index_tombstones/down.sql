DROP INDEX IF EXISTS users_tombstones;
CREATE INDEX IF NOT EXISTS users_version ON users (version);
