-- served_by: the Redis that serves the database. (In a form that may run twice: MySQL has no
-- ADD COLUMN IF NOT EXISTS.)
SET @note_cache = IF(
  EXISTS (
    SELECT 1 FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'cache_binding' AND column_name = 'served_by'
  ),
  'DO 0',
  'ALTER TABLE cache_binding ADD COLUMN served_by VARCHAR(4096) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT \'\''
);
PREPARE note_cache FROM @note_cache;
EXECUTE note_cache;
DEALLOCATE PREPARE note_cache;
