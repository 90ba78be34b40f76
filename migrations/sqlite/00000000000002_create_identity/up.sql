-- One row: the name by which caches know this database's data from another's.
CREATE TABLE IF NOT EXISTS users_identity (
  id INTEGER NOT NULL PRIMARY KEY,
  identity TEXT NOT NULL
);
