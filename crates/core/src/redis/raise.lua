-- Seeds the shard's clock: what it issues from now on is newer than the given
-- version, than all it issued before, and than all that ever was in the shard's
-- journal.
-- KEYS: clock, journal, run, the clock of the run before, the mark that it was
-- left, the mark that this one was, what was recovered, the same of the run
-- before. ARGV: version, run, lifetime of a mark in ms, whether the journal is missing.
-- Then, of each of its entries that the cache still has, version, key and body, the
-- oldest first.
-- A process that was asleep must not take the shard back from a later epoch of
-- the same run.
local run, epoch = string.match(ARGV[2], '^(.*)%.(%d+)$')
local used = string.match(redis.call('GET', KEYS[3]) or '', '^%S+') or ''
local used_run, used_epoch = string.match(used, '^(.*)%.(%d+)$')
if used_run and used_run == run and tonumber(used_epoch) > tonumber(epoch) then
  return unseeded()
end
-- Deleted first, which a server that is out of memory takes, and the rest with it.
redis.call('DEL', KEYS[6])
if ARGV[4] == '1' and redis.call('EXISTS', KEYS[2]) == 0 then
  for i = 5, #ARGV, 3 do
    if ARGV[i + 2] == '' then
      redis.call('XADD', KEYS[2], ARGV[i] .. '-0', 'k', ARGV[i + 1])
    else
      redis.call('XADD', KEYS[2], ARGV[i] .. '-0', 'k', ARGV[i + 1], 'b', ARGV[i + 2])
    end
  end
  -- Its name tells this stream from one that is made in its place; it lasts as long.
  local time = redis.call('TIME')
  redis.call('XGROUP', 'CREATE', KEYS[2], time[1] .. '.' .. time[2], '$', 'MKSTREAM')
end
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
if redis.call('EXISTS', KEYS[1]) == 0 then
  -- What is this old was cached again, not appended in this run.
  redis.call('SET', KEYS[7], string.format('%016.0f', floor))
end
if KEYS[4] ~= KEYS[1] then
  redis.call('DEL', KEYS[4], KEYS[8])
  redis.call('SET', KEYS[5], '1', 'PX', ARGV[3])
end
redis.call('SET', KEYS[1], string.format('%016.0f', floor))
redis.call('SET', KEYS[3], ARGV[2])
