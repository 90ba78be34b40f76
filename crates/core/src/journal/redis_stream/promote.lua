-- Makes a dead letter of what is held back, if it has this version and there is room.
-- KEYS: dead letters, keys that are held back. ARGV: key, version, most dead letters. Returns whether it did.
local letter = redis.call('HGET', KEYS[1], ARGV[1])
if not letter then
  -- It ended in an older version of this program, which does not know that it is held back.
  redis.call('SREM', KEYS[2], ARGV[1])
  return 0
end
local has_room = redis.call('HLEN', KEYS[1]) - redis.call('SCARD', KEYS[2]) < tonumber(ARGV[3])
if has_room and string.sub(letter, 1, 16) == ARGV[2] then
  return redis.call('SREM', KEYS[2], ARGV[1])
end
return 0
