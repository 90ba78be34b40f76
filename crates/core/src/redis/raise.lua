-- Seeds the shard's clock: what it issues from now on is newer than the given
-- version, than all it issued before, and than all that ever was in the shard's
-- journal.
-- KEYS: clock, journal. ARGV: version.
local floor = math.max(tonumber(ARGV[1]), tonumber(redis.call('GET', KEYS[1]) or '0'))
-- An error where there is no stream yet.
local stream = redis.pcall('XINFO', 'STREAM', KEYS[2])
for i = 1, #stream, 2 do
  if stream[i] == 'last-generated-id' then
    floor = math.max(floor, tonumber(string.match(stream[i + 1], '^%d+')))
  end
end
redis.call('SET', KEYS[1], string.format('%016.0f', floor))
