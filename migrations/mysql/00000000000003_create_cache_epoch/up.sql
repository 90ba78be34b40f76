-- One row: what caches hold is current only under the name of this epoch. Each
-- time that services begin to write past a cache, and each time that they use
-- it again, the epoch grows; bypassed says which of both it was, and run what the
-- run of the cache's server is that it is used in.
CREATE TABLE IF NOT EXISTS cache_epoch (
  id TINYINT NOT NULL PRIMARY KEY,
  epoch BIGINT NOT NULL,
  bypassed TINYINT NOT NULL,
  run VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT ''
) ENGINE = InnoDB;
