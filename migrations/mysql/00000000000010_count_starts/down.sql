ALTER TABLE cache_epoch DROP COLUMN alone_starts, DROP COLUMN shared_starts;
