-- Issues consecutive versions of one shard, and marks its keys in doubt.
-- KEYS: clock, then entries, each once. ARGV: lifetime of the mark in ms, the newest version
-- that is known to be issued, how many versions to issue, then, unless it is one for each
-- entry, of each entry the place of its last version from 1.
-- Returns the first version, then of each entry of which more than a clean value was held
-- three values: its place from 1, the newest write in flight ('' = none), and the dirty entry
-- ('' = none).
local all = redis.call('MGET', unpack(KEYS))
if not clock_of(all[1], ARGV[2]) then
  return unseeded()
end
local first = next_version(all[1], now())
-- The server takes all marks at once.
local absent, marks, strange = {}, {}, {}
local is_strange = false
for i = 2, #KEYS do
  local held = all[i]
  local digits = string.format('%016.0f', first + (ARGV[i + 2] or i - 1) - 1)
  if not held then
    absent[#absent + 1] = KEYS[i]
    absent[#absent + 1] = digits .. '?'
  elseif is_entry(held) then
    local state = string.sub(held, 17, 17)
    local mark, doubt, dirty = digits .. '?', nil, ''
    -- A dirty value stays: only the journal has it beside this.
    if state == 'D' and not is_clean(KEYS[i], state) then
      doubt, dirty = '', held
      mark = string.sub(held, 1, 16) .. 'E' .. digits .. string.sub(held, 18)
    elseif state == 'E' then
      doubt = string.sub(held, 18, 33)
      dirty = string.sub(held, 1, 16) .. 'D' .. string.sub(held, 34)
      mark = string.sub(held, 1, 17) .. digits .. string.sub(held, 34)
    elseif state == '?' then
      -- What has settled is in doubt no more, whatever comes after it.
      mark = mark .. string.sub(held, 18)
      doubt = not is_over(held, ARGV[1]) and string.sub(held, 1, 16)
    end
    marks[#marks + 1] = KEYS[i]
    marks[#marks + 1] = mark
    if doubt then
      strange[#strange + 1] = i - 1
      strange[#strange + 1] = doubt
      strange[#strange + 1] = dirty
    end
  else
    is_strange = true
  end
end
-- MGET finds nothing in a key of another type, and MSETNX does.
if is_strange or #absent > 0 and redis.call('MSETNX', unpack(absent)) == 0 then
  -- Another program's. What it has replaced may be in the journal alone.
  redis.call('DEL', KEYS[1])
  return unseeded()
end
marks[#marks + 1] = KEYS[1]
marks[#marks + 1] = string.format('%016.0f', first + ARGV[3] - 1)
redis.call('MSET', unpack(marks))
return {string.format('%016.0f', first), unpack(strange)}
