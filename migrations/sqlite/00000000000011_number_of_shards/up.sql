-- Over how many shards the keys of the data are spread in Redis.
ALTER TABLE cache_binding ADD COLUMN shards INTEGER NOT NULL DEFAULT 1;
