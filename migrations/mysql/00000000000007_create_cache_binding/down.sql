DROP TABLE IF EXISTS cache_binding;
