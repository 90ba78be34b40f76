-- Gives a flushed version its lifetime, where it is still the one held. Scripts
-- that call this have it put before them.
local function mark_clean(entry, version, clean_ms, doubt_ms)
  local head = redis.call('GETRANGE', entry, 0, 16)
  if head == version .. 'D' then
    redis.call('SETRANGE', entry, 16, 'C')
    redis.call('PEXPIRE', entry, clean_ms)
  elseif head == version .. 'E' then
    local doubt = redis.call('GETRANGE', entry, 17, 32)
    redis.call('SET', entry, doubt .. '?', 'PX', doubt_ms)
  end
end
