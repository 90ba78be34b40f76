-- The Redis that serves the database.
ALTER TABLE cache_binding ADD COLUMN served_by TEXT NOT NULL DEFAULT '';
