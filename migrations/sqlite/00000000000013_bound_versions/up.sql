-- reserved_through: the ceiling. No service has written a version above it. NULL: not known; the
-- next start takes the newest version that there is.
ALTER TABLE cache_epoch ADD COLUMN reserved_through INTEGER NULL;
