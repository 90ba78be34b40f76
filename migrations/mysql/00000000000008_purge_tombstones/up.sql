-- purged_through: tombstones of versions up to this one may have been removed. (In a
-- form that may run twice: MySQL has no ADD COLUMN IF NOT EXISTS.)
SET @add_purged_through = IF(
  EXISTS (
    SELECT 1 FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'cache_epoch' AND column_name = 'purged_through'
  ),
  'DO 0',
  'ALTER TABLE cache_epoch ADD COLUMN purged_through BIGINT NOT NULL DEFAULT 0'
);
PREPARE add_purged_through FROM @add_purged_through;
EXECUTE add_purged_through;
DEALLOCATE PREPARE add_purged_through;
