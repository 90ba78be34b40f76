-- One row: what caches hold is current only under the name of this epoch. Each
-- time that the service begins to write past a cache, and each time that it uses
-- it again, the epoch grows; bypassed says which of both it was, and run what the
-- run of the cache's server is that it is used in.
CREATE TABLE IF NOT EXISTS cache_epoch (
  id INTEGER NOT NULL PRIMARY KEY,
  epoch INTEGER NOT NULL,
  bypassed INTEGER NOT NULL,
  run TEXT NOT NULL DEFAULT ''
);
