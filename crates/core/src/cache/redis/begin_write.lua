-- Issues versions to keys, consecutive in each shard, and marks the keys in doubt.
-- KEYS: of each shard its clock, then entries. ARGV: lifetime of the mark in ms, then of each
-- shard how many entries it has here, and the newest version that is known to be issued in it.
-- Returns the first version of each shard, then of each key of which more than a
-- clean value was held three values: its place among all entries from 1, the
-- newest write in flight ('' = none), and the dirty entry ('' = none).
local all = redis.call('MGET', unpack(KEYS))
local answer, strange, marked = {}, {}, {}
local at, place = 1, 0
-- Nothing is issued in any shard unless it can be in all.
for shard = 2, #ARGV, 2 do
  local clock, entries = at, tonumber(ARGV[shard])
  if not clock_of(all[clock], ARGV[shard + 1]) then
    return unseeded()
  end
  local absent, is_strange = {}, false
  for entry = clock + 1, clock + entries do
    if not all[entry] then
      absent[#absent + 1] = KEYS[entry]
    elseif not is_entry(all[entry]) then
      is_strange = true
    end
  end
  -- MGET finds nothing in a key of another type.
  if is_strange or #absent > 0 and redis.call('EXISTS', unpack(absent)) > 0 then
    -- Another program's. What it has replaced may be in the journal alone.
    redis.call('DEL', KEYS[clock])
    return unseeded()
  end
  at = clock + entries + 1
end
local time = now()
at = 1
for shard = 2, #ARGV, 2 do
  local clock = at
  local first = next_version(all[clock], time)
  answer[#answer + 1] = string.format('%016.0f', first)
  local digits
  for i = 1, tonumber(ARGV[shard]) do
    at = at + 1
    place = place + 1
    digits = string.format('%016.0f', first + i - 1)
    local key = KEYS[at]
    local held = marked[key] or all[at]
    local state = held and string.sub(held, 17, 17)
    local doubt, dirty, mark
    -- A dirty value stays: only the journal has it beside this.
    if state == 'D' and not is_clean(key, state) then
      doubt, dirty = '', held
      mark = string.sub(held, 1, 16) .. 'E' .. digits .. string.sub(held, 18)
      redis.call('SET', key, mark)
    elseif state == 'E' then
      doubt = string.sub(held, 18, 33)
      dirty = string.sub(held, 1, 16) .. 'D' .. string.sub(held, 34)
      mark = string.sub(held, 1, 17) .. digits .. string.sub(held, 34)
      redis.call('SET', key, mark)
    else
      if state == '?' and not is_over(held, ARGV[1]) then
        doubt, dirty = string.sub(held, 1, 16), ''
      end
      mark = digits .. '?'
      redis.call('SET', key, mark)
    end
    -- The same key may come again.
    marked[key] = mark
    if doubt then
      strange[#strange + 1] = place
      strange[#strange + 1] = doubt
      strange[#strange + 1] = dirty
    end
  end
  if digits then
    redis.call('SET', KEYS[clock], digits)
  end
  at = at + 1
end
for i = 1, #strange do
  answer[#answer + 1] = strange[i]
end
return answer
