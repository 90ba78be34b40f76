-- How many processes with a memory cache have started, and how many others. A process that
-- lost its lock for a moment learns from it whether one of them was there meanwhile. (In a
-- form that may run twice: MySQL has no ADD COLUMN IF NOT EXISTS.)
SET @add_starts = IF(
  EXISTS (
    SELECT 1 FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'cache_epoch' AND column_name = 'alone_starts'
  ),
  'DO 0',
  'ALTER TABLE cache_epoch ADD COLUMN alone_starts BIGINT NOT NULL DEFAULT 0, ADD COLUMN shared_starts BIGINT NOT NULL DEFAULT 0'
);
PREPARE add_starts FROM @add_starts;
EXECUTE add_starts;
DEALLOCATE PREPARE add_starts;
