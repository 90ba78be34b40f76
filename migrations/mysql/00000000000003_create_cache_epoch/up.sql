-- One row: what caches hold is current only under the name of this epoch. Each
-- time that services begin to write past a cache, and each time that they use
-- it again, the epoch grows; bypassed says which of both it was.
CREATE TABLE IF NOT EXISTS cache_epoch (
  id TINYINT NOT NULL PRIMARY KEY,
  epoch BIGINT NOT NULL,
  bypassed TINYINT NOT NULL
) ENGINE = InnoDB;
