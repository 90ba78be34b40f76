-- Raises the shard's clock to the given version at least.
-- KEYS: clock. ARGV: version.
local clock = redis.call('GET', KEYS[1])
if not clock then
  return unseeded()
end
if tonumber(clock) < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1])
end
