-- Gives a flushed version its lifetime, where it is still the one held. Scripts
-- that call this have it put before them.
local function mark_clean(entry, version, clean_ms, doubt_ms)
  local held = redis.call('GET', entry)
  local head = held and string.sub(held, 1, 17)
  if head == version .. 'D' then
    redis.call('SET', entry, version .. 'C' .. string.sub(held, 18), 'PX', clean_ms)
  elseif head == version .. 'E' then
    redis.call('SET', entry, string.sub(held, 18, 33) .. '?', 'PX', doubt_ms)
  end
  return head
end

