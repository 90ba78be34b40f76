-- BINARY, SQLite's default collation, compares UTF-8 bytes.
CREATE TABLE IF NOT EXISTS users (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  age INTEGER NULL,
  occupation TEXT NULL,
  version INTEGER NOT NULL DEFAULT 0,
  deleted_at TIMESTAMP NULL,
  CHECK (deleted_at IS NOT NULL OR (age IS NOT NULL AND occupation IS NOT NULL))
);
