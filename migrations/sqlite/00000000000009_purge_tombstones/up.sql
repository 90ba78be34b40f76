-- purged_through: tombstones of versions up to this one may have been removed.
ALTER TABLE cache_epoch ADD COLUMN purged_through INTEGER NOT NULL DEFAULT 0;
