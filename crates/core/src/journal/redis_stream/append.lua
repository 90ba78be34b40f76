-- Issues versions, puts values into the cache, appends to the journal.
-- KEYS: clock, journal, then the entry of each write.
-- ARGV: the channel on which to call others if there was nothing in the journal
-- ('' = none), the shard, the newest version that is known to be issued, then of each write
-- its condition (condition.rs has its form), key, body (empty = delete).
-- Returns the version of the first write that took place, those of the others
-- being the next ones; what became of each write, a letter each: 'w' written,
-- 'f' its condition failed, 'u' unknown, as the cache does not hold the key; and
-- how many entries wait then.

-- Whether a condition holds for a cached entry, clean or dirty.
local function holds(condition, held)
  local sign, exists = string.sub(condition, 1, 1), #held > 17
  if sign == '+' then
    return exists
  elseif sign == '-' then
    return not exists
  end
  local listed = exists and string.find(condition, string.sub(held, 1, 16), 2, true)
  if sign == '=' then
    return listed
  end
  return not listed
end

local last = clock_of(redis.call('MGET', KEYS[1])[1], ARGV[3])
if not last or redis.call('EXISTS', KEYS[2]) == 0 then
  -- It has come back, or what the journal held is lost.
  return unseeded()
end
local version = next_version(last, now())
local first = string.format('%016.0f', version)
local digits = first
local before = redis.call('XLEN', KEYS[2])
local appended = 0
local verdicts = {}
-- What is to be cached: names and values in turn, and the same by name. All are
-- set by one command at the end, which costs less than one each.
local sets, values = {}, {}
for i = 1, #KEYS - 2 do
  local entry, key, body = KEYS[i + 2], ARGV[3 * i + 2], ARGV[3 * i + 3]
  local condition, verdict = ARGV[3 * i + 1], 'w'
  if condition ~= '' then
    local held = values[entry] or held_in(entry)
    local state = held and string.sub(held, 17, 17)
    if state ~= 'C' and state ~= 'D' then
      verdict = 'u'
    elseif not holds(condition, held) then
      verdict = 'f'
    end
  end
  if verdict == 'w' then
    -- No version held is newer: the clock is above all that were issued, and
    -- a fill raises it.
    if appended > 0 then
      digits = string.format('%016.0f', version + appended)
    end
    -- Before anything is cached; it ends the script if it fails.
    local added
    if body == '' then
      added = redis.pcall('XADD', KEYS[2], digits .. '-0', 'k', key)
    else
      added = redis.pcall('XADD', KEYS[2], digits .. '-0', 'k', key, 'b', body)
    end
    if added.err then
      -- Another program has appended something that is newer than all versions.
      return string.find(added.err, 'XADD') and unseeded() or added
    end
    local value = digits .. 'D' .. body
    sets[#sets + 1] = entry
    sets[#sets + 1] = value
    values[entry] = value
    appended = appended + 1
  end
  verdicts[i] = verdict
end
if appended > 0 then
  sets[#sets + 1] = KEYS[1]
  sets[#sets + 1] = digits
  -- In parts that fit Lua's stack.
  for from = 1, #sets, 4000 do
    redis.call('MSET', unpack(sets, from, math.min(from + 3999, #sets)))
  end
  if before == 0 and ARGV[1] ~= '' then
    redis.call('PUBLISH', ARGV[1], ARGV[2])
  end
end
return {first, table.concat(verdicts), before + appended}
