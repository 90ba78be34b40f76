ALTER TABLE cache_epoch DROP COLUMN purged_through;
