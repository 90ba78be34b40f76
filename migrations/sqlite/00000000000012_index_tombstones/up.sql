-- Tombstones are removed in the order of their versions. Live rows pay for no index but the
-- one on their name.
CREATE INDEX IF NOT EXISTS users_tombstones ON users (version) WHERE deleted_at IS NOT NULL;
DROP INDEX IF EXISTS users_version;
