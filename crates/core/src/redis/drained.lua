-- Marks an entry whose version the database has now, where `value` is what MGET answers for it. If that
-- version is still the one held, the entry gets an expiry, by which it is clean, or is removed if
-- `forgets`. Anything older is removed, tickets included: the dirty entry may have been evicted or
-- deleted, and its place filled from the database. A mark of doubt stays.
-- Scripts that call this have it put before them, after `forms.lua`.
local function drained(entry, value, version, clean_ms, forgets)
  if value and not forgets and string.sub(value, 1, 17) == version .. 'D' then
    -- By far the most common, so nothing else is looked at.
    redis.call('PEXPIRE', entry, clean_ms)
    return
  end
  if not value or not is_entry(value) then
    return
  end
  local of, state = string.sub(value, 1, 16), string.sub(value, 17, 17)
  if state == 'E' and of <= version then
    redis.call('SET', entry, string.sub(value, 18, 33) .. '?')
  elseif state == 'F' or state == 'D' and of <= version or state == 'C' and of < version then
    redis.call('DEL', entry)
  end
end

