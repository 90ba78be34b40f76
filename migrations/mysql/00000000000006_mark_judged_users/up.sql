-- judged: the row was written on a condition, upon the one before it. An older
-- write that comes after it must not count as one that came before. (In a form
-- that may run twice: MySQL has no ADD COLUMN IF NOT EXISTS.)
SET @add_judged = IF(
  EXISTS (
    SELECT 1 FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'users' AND column_name = 'judged'
  ),
  'DO 0',
  'ALTER TABLE users ADD COLUMN judged TINYINT NOT NULL DEFAULT 0'
);
PREPARE add_judged FROM @add_judged;
EXECUTE add_judged;
DEALLOCATE PREPARE add_judged;
