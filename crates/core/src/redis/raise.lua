-- Seeds the shard's clock: what it issues from now on is newer than the given
-- version, than all it issued before, and than all that ever was in the shard's
-- journal.
-- KEYS: clock, journal, run, the clock of the run before. ARGV: version, run.
local function version_of(clock)
  return tonumber(redis.call('GET', clock) or '0')
end
local floor = math.max(tonumber(ARGV[1]), version_of(KEYS[1]), version_of(KEYS[4]))
-- An error where there is no stream yet.
local stream = redis.pcall('XINFO', 'STREAM', KEYS[2])
for i = 1, #stream, 2 do
  if stream[i] == 'last-generated-id' then
    floor = math.max(floor, tonumber(string.match(stream[i + 1], '^%d+')))
  end
end
-- Deleted first, which a server that is out of memory takes, and the rest with it.
if KEYS[4] == KEYS[1] then
  redis.call('DEL', KEYS[3])
else
  redis.call('DEL', KEYS[4])
end
redis.call('SET', KEYS[1], string.format('%016.0f', floor))
redis.call('SET', KEYS[3], ARGV[2])
