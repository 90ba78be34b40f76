-- Raises the shard's clock to the given version at least.
-- KEYS: clock. ARGV: version, the newest one that is known to be issued.
local clock = clock_of(redis.call('MGET', KEYS[1])[1], ARGV[2])
if not clock then
  return unseeded()
end
if clock < ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[1])
end
