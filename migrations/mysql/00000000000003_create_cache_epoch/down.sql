DROP TABLE IF EXISTS cache_epoch;
