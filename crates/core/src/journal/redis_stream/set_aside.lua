-- Keeps a dead letter, unless there is a newer one of its key.
-- KEYS: dead letters, journal, waiting. ARGV: key, letter, and the id of an entry to
-- remove from the journal with it, if there is one.
-- An error if the key is of another type, before anything is changed.
redis.call('HLEN', KEYS[1])
if ARGV[3] then
  local held = redis.call('MGET', KEYS[3])[1]
  local entries, writes, bytes, through = waiting_in(KEYS[2], redis.call('XLEN', KEYS[2]), held)
  local entry = redis.call('XRANGE', KEYS[2], ARGV[3], ARGV[3])[1]
  -- First, since a server that is out of memory takes it, and the rest with it.
  redis.call('XDEL', KEYS[2], ARGV[3])
  if entry then
    local count, size = weigh(entry)
    writes = writes - count + acknowledged_of(entry, count, through)
    redis.call('SET', KEYS[3], encode_waiting(entries - 1, writes, bytes - size, through))
  end
end
local held = redis.call('HGET', KEYS[1], ARGV[1])
local of = held and string.sub(held, 1, 16)
if of and is_version(of) and of > string.sub(ARGV[2], 1, 16) then
  return
end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
