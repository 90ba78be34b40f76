-- One row: the name by which caches know this database's data from another's.
-- The service fills it, since a random value made by SQL would differ on a
-- replica that replays statements.
CREATE TABLE IF NOT EXISTS users_identity (
  id TINYINT NOT NULL PRIMARY KEY,
  identity CHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
) ENGINE = InnoDB;
