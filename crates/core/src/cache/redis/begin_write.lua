-- Issues a version to each key, in order, and marks the key in doubt.
-- KEYS: clock, entries. ARGV: lifetime of the mark in ms.
-- Returns the versions.
local last = redis.call('GET', KEYS[1])
if not last then
  return redis.error_reply('UNSEEDED the clock does not know the newest version')
end
local time = redis.call('TIME')
local version = math.max(tonumber(time[1]) * 1000000 + tonumber(time[2]), tonumber(last) + 1)
local versions = {}
for i = 2, #KEYS do
  local digits = string.format('%016.0f', version)
  local held = redis.call('GET', KEYS[i])
  local state = held and string.sub(held, 17, 17)
  -- A dirty value stays: only the journal has it beside this.
  if state == 'D' then
    redis.call('SET', KEYS[i], string.sub(held, 1, 16) .. 'E' .. digits .. string.sub(held, 18))
  elseif state == 'E' then
    redis.call('SETRANGE', KEYS[i], 17, digits)
  else
    redis.call('SET', KEYS[i], digits .. '?', 'PX', ARGV[1])
  end
  versions[#versions + 1] = digits
  version = version + 1
end
redis.call('SET', KEYS[1], string.format('%016.0f', version - 1))
return versions
