-- KEYS: a key that nothing else uses. Writes it as the other scripts write theirs.
redis.call('SET', KEYS[1], '', 'PX', 1)
