ALTER TABLE cache_binding DROP COLUMN shards;
