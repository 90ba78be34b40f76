-- Keeps a dead letter, unless there is a newer one of its key.
-- KEYS: dead letters, journal. ARGV: key, letter, and the id of an entry to
-- remove from the journal with it, if there is one.
-- An error if the key is of another type, before anything is changed.
redis.call('HLEN', KEYS[1])
if ARGV[3] then
  -- First, since a server that is out of memory takes it, and the rest with it.
  redis.call('XDEL', KEYS[2], ARGV[3])
end
local held = redis.call('HGET', KEYS[1], ARGV[1])
local of = held and string.sub(held, 1, 16)
if of and is_version(of) and of > string.sub(ARGV[2], 1, 16) then
  return
end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
