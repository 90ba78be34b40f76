-- The processes that read from a cache: whether each trusts it now, and for how
-- long without saying so again; whether it is cut off from it; whether it relies
-- on it for good; and how often it has said so.
CREATE TABLE IF NOT EXISTS cache_members (
  process VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  trusts TINYINT NOT NULL,
  cut_off TINYINT NOT NULL,
  for_good TINYINT NOT NULL,
  lease_ms BIGINT NOT NULL,
  beats BIGINT NOT NULL
) ENGINE = InnoDB;
