-- shards: over how many shards the keys of the data are spread in Redis. (In a form that may run
-- twice: MySQL has no ADD COLUMN IF NOT EXISTS.)
SET @number_of_shards = IF(
  EXISTS (
    SELECT 1 FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'cache_binding' AND column_name = 'shards'
  ),
  'DO 0',
  'ALTER TABLE cache_binding ADD COLUMN shards INT NOT NULL DEFAULT 1'
);
PREPARE number_of_shards FROM @number_of_shards;
EXECUTE number_of_shards;
DEALLOCATE PREPARE number_of_shards;
