-- Seeds the shard's clock: what it issues from now on is newer than the given
-- version, than all it issued before, and than all that ever was in the shard's
-- journal.
-- KEYS: clock, journal, run, the clock of the run before, what was recovered, the same of
-- the run before, waiting. ARGV: version, run, whether the journal is missing, what was recovered when
-- this began ('clock' = there was a clock). Then, of each of the journal's writes that the
-- cache still has, version and packed field, the oldest first.
local function version_of(key)
  local clock = redis.call('MGET', key)[1]
  return clock and is_version(clock) and tonumber(clock) or 0
end
-- A process that was asleep must not take the shard back from a later epoch of
-- the same run.
local run, epoch = string.match(ARGV[2], '^(.*)%.(%d+)$')
local used = string.match(redis.call('MGET', KEYS[3])[1] or '', '^%S+') or ''
local used_run, used_epoch = string.match(used, '^(.*)%.(%d+)$')
if used_run and used_run == run and tonumber(used_epoch) > tonumber(epoch) then
  return unseeded()
end
-- The clock was removed since, and what is cached has to be recovered once more.
if redis.call('EXISTS', KEYS[1]) == 0 and (redis.call('MGET', KEYS[5])[1] or '') ~= ARGV[4] then
  return unseeded()
end
local floor = math.max(tonumber(ARGV[1]), version_of(KEYS[1]), version_of(KEYS[4]))
-- First, since a server that is out of memory takes it, and the rest with it.
redis.call('PERSIST', KEYS[1])
if KEYS[4] ~= KEYS[1] then
  redis.call('DEL', KEYS[4])
  if used_run == run then
    -- An epoch is never used again, so its keys are not needed.
    redis.call('DEL', KEYS[6])
  end
end
if ARGV[3] == '1' and redis.call('EXISTS', KEYS[2]) == 0 then
  -- It counted another stream.
  redis.call('DEL', KEYS[7])
  for i = 5, #ARGV, 2 do
    redis.call('XADD', KEYS[2], ARGV[i] .. '-0', 'w', ARGV[i + 1])
  end
  -- Its name tells this stream from one that is made in its place; it lasts as long.
  local time = redis.call('TIME')
  redis.call('XGROUP', 'CREATE', KEYS[2], time[1] .. '.' .. time[2], '$', 'MKSTREAM')
end
-- An error where there is no stream yet.
local stream = redis.pcall('XINFO', 'STREAM', KEYS[2])
for i = 1, #stream, 2 do
  if stream[i] == 'last-generated-id' then
    local newest = tonumber(string.match(stream[i + 1], '^%d+'))
    if newest > tonumber(newest_max) then
      -- Of another program. Nothing could be appended after it.
      newest = set_back(KEYS[2])
    end
    floor = math.max(floor, newest)
  end
end
if redis.call('EXISTS', KEYS[1]) == 0 then
  -- What is this old was cached again, not appended in this run.
  redis.call('SET', KEYS[5], string.format('%016.0f', floor))
end
redis.call('SET', KEYS[1], string.format('%016.0f', floor))
redis.call('SET', KEYS[3], ARGV[2])
