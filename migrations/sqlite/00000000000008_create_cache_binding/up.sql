-- One row: the token that a cache and this database share while they belong together,
-- the one before it, and the newest version that the database is known to have had,
-- which a row deleted by hand does not lower. The service fills it.
CREATE TABLE IF NOT EXISTS cache_binding (
  id INTEGER NOT NULL PRIMARY KEY,
  token TEXT NOT NULL,
  previous TEXT NOT NULL,
  newest INTEGER NOT NULL
);
