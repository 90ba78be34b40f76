INSERT IGNORE INTO cache_epoch (id, epoch, bypassed) VALUES (1, 0, 0);
