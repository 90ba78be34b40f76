-- Removes a dead letter, if it has this version.
-- KEYS: dead letters. ARGV: key, version. Returns whether it had.
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held and string.sub(held, 1, 16) == ARGV[2] then
  return redis.call('HDEL', KEYS[1], ARGV[1])
end
return 0
