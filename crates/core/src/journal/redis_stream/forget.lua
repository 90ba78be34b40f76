-- Removes a dead letter, if it has this version.
-- KEYS: dead letters, keys that are held back, their bytes. ARGV: key, version. Returns whether it had.
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held and string.sub(held, 1, 16) == ARGV[2] then
  end_held_back(KEYS[2], KEYS[3], ARGV[1], held)
  return redis.call('HDEL', KEYS[1], ARGV[1])
end
return 0
