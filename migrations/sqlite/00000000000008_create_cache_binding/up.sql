-- One row, which the service fills. token: shared with a cache while both belong together.
-- previous: the token before it. newest: the newest version that the database is known to
-- have had. A row deleted by hand does not lower it.
CREATE TABLE IF NOT EXISTS cache_binding (
  id INTEGER NOT NULL PRIMARY KEY,
  token TEXT NOT NULL,
  previous TEXT NOT NULL,
  newest INTEGER NOT NULL
);
