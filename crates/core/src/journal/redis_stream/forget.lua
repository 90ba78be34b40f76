-- Removes a dead letter, if it has this version.
-- KEYS: dead letters, keys that are held back. ARGV: key, version. Returns whether it had.
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held and string.sub(held, 1, 16) == ARGV[2] then
  redis.pcall('SREM', KEYS[2], ARGV[1])
  return redis.call('HDEL', KEYS[1], ARGV[1])
end
return 0
