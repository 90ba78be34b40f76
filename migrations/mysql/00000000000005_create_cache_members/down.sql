DROP TABLE IF EXISTS cache_members;
