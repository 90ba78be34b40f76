-- The processes that read from a cache: whether each trusts it now, and for how
-- long without saying so again; whether it is cut off from it; whether it relies
-- on it for good; and how often it has said so.
CREATE TABLE IF NOT EXISTS cache_members (
  process TEXT NOT NULL PRIMARY KEY,
  trusts INTEGER NOT NULL,
  cut_off INTEGER NOT NULL,
  for_good INTEGER NOT NULL,
  lease_ms INTEGER NOT NULL,
  beats INTEGER NOT NULL
);
