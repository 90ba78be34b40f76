-- Issues a version to each key, in order, and marks the key in doubt.
-- KEYS: clock, entries. ARGV: lifetime of the mark in ms.
-- Returns the versions.
local version = next_version(KEYS[1])
if not version then
  return unseeded()
end
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
