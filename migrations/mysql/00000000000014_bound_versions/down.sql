ALTER TABLE cache_epoch DROP COLUMN reserved_through;
