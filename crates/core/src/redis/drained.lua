-- Takes in that the database has a version. Where it is still the one held, it gets its
-- lifetime, or, if `forgets`, is forgotten. Nothing older stays readable: the dirty entry may
-- have been evicted or deleted, and its place filled with something older from the database.
-- Scripts that call this have it put before them, after `forms.lua`.
local function drained(entry, version, clean_ms, forgets)
  local held = held_in(entry)
  if not held then
    return
  end
  local of, state = string.sub(held, 1, 16), string.sub(held, 17, 17)
  if state == 'D' and of == version and not forgets then
    redis.call('SET', entry, version .. 'C' .. string.sub(held, 18), 'PX', clean_ms)
  elseif state == 'E' and of <= version then
    redis.call('SET', entry, string.sub(held, 18, 33) .. '?')
  elseif state == 'F' or state == 'D' and of <= version or state == 'C' and of < version then
    redis.call('DEL', entry)
  end
end

