ALTER TABLE cache_binding DROP COLUMN served_by;
