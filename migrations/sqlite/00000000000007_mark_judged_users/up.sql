-- The row was written on a condition, upon the one before it. An older write that
-- comes after it must not count as one that came before.
ALTER TABLE users ADD COLUMN judged INTEGER NOT NULL DEFAULT 0;
