DELETE FROM cache_epoch;
