-- Marks an entry whose version the database has now. If that version is still the one held,
-- the entry gets its lifetime, or is removed if `forgets`. Anything older is removed, tickets
-- included: the dirty entry may have been evicted or deleted, and its place filled from the
-- database. A mark of doubt stays.
-- `held` is what MGET answers for the entry.
-- Scripts that call this have it put before them, after `forms.lua`.
local function drained(entry, held, version, clean_ms, forgets)
  if not held or not is_entry(held) then
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

