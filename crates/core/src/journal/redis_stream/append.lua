-- Issues versions, puts values into the cache, appends to the journal.
-- KEYS: clock, journal, then the entry of each write.
-- ARGV: the channel on which to call others if there was nothing in the journal
-- ('' = none), the shard, then of each write its condition ('always' or
-- 'exists'), key, body (empty = delete).
-- Returns for each write its version, 'failed' if the condition does not hold,
-- or 'unknown' if that cannot be told from the cache; then how many entries wait.
local version = next_version(KEYS[1])
if not version then
  return unseeded()
end
local before = redis.call('XLEN', KEYS[2])
local appended = 0
local answers = {}
for i = 1, #KEYS - 2 do
  local entry, condition, key, body = KEYS[i + 2], ARGV[3 * i], ARGV[3 * i + 1], ARGV[3 * i + 2]
  local answer
  if condition == 'exists' then
    local held = redis.call('GET', entry)
    local state = held and string.sub(held, 17, 17)
    if state ~= 'C' and state ~= 'D' then
      answer = 'unknown'
    elseif #held == 17 then
      answer = 'failed'
    end
  end
  if not answer then
    -- No version held is newer: the clock is above all that were issued, and
    -- a fill raises it.
    answer = string.format('%016.0f', version)
    local id = string.format('%.0f-0', version)
    if body == '' then
      redis.call('XADD', KEYS[2], id, 'k', key)
    else
      redis.call('XADD', KEYS[2], id, 'k', key, 'b', body)
    end
    -- After the append, which ends the script if it fails.
    redis.call('SET', entry, answer .. 'D' .. body)
    version = version + 1
    appended = appended + 1
  end
  answers[i] = answer
end
if appended > 0 then
  redis.call('SET', KEYS[1], string.format('%016.0f', version - 1))
  if before == 0 and ARGV[1] ~= '' then
    redis.call('PUBLISH', ARGV[1], ARGV[2])
  end
end
answers[#answers + 1] = tostring(before + appended)
return answers
