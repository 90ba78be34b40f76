-- One row, which the service fills. token: shared with a cache while both belong together.
-- previous: the token before it. newest: the newest version that the database is known to
-- have had. A row deleted by hand does not lower it.
CREATE TABLE IF NOT EXISTS cache_binding (
  id TINYINT NOT NULL PRIMARY KEY,
  token CHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  previous CHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  newest BIGINT NOT NULL
) ENGINE = InnoDB;
