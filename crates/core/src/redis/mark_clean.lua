-- Gives a flushed version its lifetime, where it is still the one held. If it was
-- evicted while only the journal had it, what was filled in its place is older:
-- that goes, and so does a ticket to fill. Scripts that call this have it put
-- before them.
local function mark_clean(entry, version, clean_ms, doubt_ms)
  local held = redis.call('GET', entry)
  local head = held and string.sub(held, 1, 17)
  if head == version .. 'D' then
    redis.call('SET', entry, version .. 'C' .. string.sub(held, 18), 'PX', clean_ms)
  elseif head == version .. 'E' then
    redis.call('SET', entry, string.sub(held, 18, 33) .. '?', 'PX', doubt_ms)
  elseif head and (string.sub(head, 17) == 'F' or (string.sub(head, 17) == 'C' and string.sub(head, 1, 16) < version)) then
    redis.call('DEL', entry)
  end
end
