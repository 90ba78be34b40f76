-- Keeps a dead letter, unless there is a newer one of its key.
-- KEYS: dead letters, journal, waiting, keys that are held back, their bytes. ARGV: key, letter, most dead letters, and
-- the id of an entry to remove from the journal with it, if there is one.
-- Returns whether the letter of the key is held back, since the limit of dead letters is reached.
-- An error if a key is of another type, before anything is changed.
local letters, held_back = redis.call('HLEN', KEYS[1]), redis.call('ZCARD', KEYS[4])
if ARGV[4] then
  local held = redis.call('MGET', KEYS[3])[1]
  local entries, writes, bytes, through = waiting_in(KEYS[2], redis.call('XLEN', KEYS[2]), held)
  local entry = redis.call('XRANGE', KEYS[2], ARGV[4], ARGV[4])[1]
  -- First, since a server that is out of memory takes it, and the rest with it.
  redis.call('XDEL', KEYS[2], ARGV[4])
  if entry then
    local count, size = weigh(entry)
    writes = writes - count + acknowledged_of(entry, count, through)
    redis.call('SET', KEYS[3], encode_waiting(entries - 1, writes, bytes - size, through))
  end
end
local held = redis.call('HGET', KEYS[1], ARGV[1])
local was_held_back = redis.call('ZSCORE', KEYS[4], ARGV[1])
local of = held and string.sub(held, 1, 16)
if of and is_version(of) and of > string.sub(ARGV[2], 1, 16) then
  return was_held_back and 1 or 0
end
-- One that is a dead letter already stays one: it takes no more room.
local is_dead = held and not was_held_back
local has_room = letters - held_back < tonumber(ARGV[3])
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end_held_back(KEYS[4], KEYS[5], ARGV[1], held)
if is_dead or has_room then
  return 0
end
redis.call('ZADD', KEYS[4], 0, ARGV[1])
add_held_back_bytes(KEYS[4], KEYS[5], held_back_bytes(ARGV[1], ARGV[2]))
return 1
