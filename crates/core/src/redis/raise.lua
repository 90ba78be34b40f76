-- Seeds the shard's clock: what it issues from now on is newer than the given
-- version, than all it issued before, and than all in the shard's journal.
-- KEYS: clock, journal. ARGV: version.
local floor = tonumber(ARGV[1])
floor = math.max(floor, tonumber(redis.call('GET', KEYS[1]) or '0'))
local newest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
if newest then
  floor = math.max(floor, tonumber(string.match(newest[1], '^%d+')))
end
redis.call('SET', KEYS[1], string.format('%016.0f', floor))
