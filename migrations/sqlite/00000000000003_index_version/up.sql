-- A service asks for the newest version when it starts.
CREATE INDEX users_version ON users (version);
