-- reserved_through: the ceiling. No service has written a version above it. Each statement that
-- writes reads it, and a service raises it some seconds ahead, so no index on versions is needed to know
-- the newest one. NULL: not known; the next start takes the newest version that there is. (In a
-- form that may run twice: MySQL has no ADD COLUMN IF NOT EXISTS.)
SET @add_reserved_through = IF(
  EXISTS (
    SELECT 1 FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'cache_epoch' AND column_name = 'reserved_through'
  ),
  'DO 0',
  'ALTER TABLE cache_epoch ADD COLUMN reserved_through BIGINT NULL'
);
PREPARE add_reserved_through FROM @add_reserved_through;
EXECUTE add_reserved_through;
DEALLOCATE PREPARE add_reserved_through;
