-- Takes, renews or gives back the lease on a shard.
-- KEYS: lease. ARGV: process, lifetime in ms, 1 if the process wants it.
-- Returns the holder after that, or nil.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return holder
end
-- The key is deleted first: a server that is out of memory takes that, and then the rest of the
-- script.
redis.call('DEL', KEYS[1])
if ARGV[3] == '1' then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return ARGV[1]
end
return nil
