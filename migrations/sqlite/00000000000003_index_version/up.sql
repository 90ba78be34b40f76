-- A service asks for the newest version when it starts.
CREATE INDEX IF NOT EXISTS users_version ON users (version);
