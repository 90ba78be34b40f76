-- Issues consecutive versions to the keys, in order, and marks the keys in doubt.
-- KEYS: clock, entries. ARGV: lifetime of the mark in ms.
-- Returns the first version, then of each key of which more than a clean value
-- was held three values: its place from 1, the newest write in flight ('' =
-- none), and the dirty entry ('' = none).
local version = next_version(KEYS[1])
if not version then
  return unseeded()
end
local answer = {string.format('%016.0f', version)}
for i = 2, #KEYS do
  local digits = string.format('%016.0f', version)
  local held = redis.call('GET', KEYS[i])
  local state = held and string.sub(held, 17, 17)
  local doubt, dirty
  -- A dirty value stays: only the journal has it beside this.
  if state == 'D' then
    doubt, dirty = '', held
    redis.call('SET', KEYS[i], string.sub(held, 1, 16) .. 'E' .. digits .. string.sub(held, 18))
  elseif state == 'E' then
    doubt = string.sub(held, 18, 33)
    dirty = string.sub(held, 1, 16) .. 'D' .. string.sub(held, 34)
    redis.call('SETRANGE', KEYS[i], 17, digits)
  else
    if state == '?' then
      doubt, dirty = string.sub(held, 1, 16), ''
    end
    redis.call('SET', KEYS[i], digits .. '?', 'PX', ARGV[1])
  end
  if doubt then
    answer[#answer + 1] = i - 1
    answer[#answer + 1] = doubt
    answer[#answer + 1] = dirty
  end
  version = version + 1
end
redis.call('SET', KEYS[1], string.format('%016.0f', version - 1))
return answer
