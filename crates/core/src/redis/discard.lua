-- Forgets a version that will never be in the database, where it is still the
-- one held: a reader finds the database's again. Scripts that call this have it
-- put before them.
local function discard(entry, version, doubt_ms)
  local head = redis.call('GETRANGE', entry, 0, 16)
  if head == version .. 'D' then
    redis.call('DEL', entry)
  elseif head == version .. 'E' then
    local doubt = redis.call('GETRANGE', entry, 17, 32)
    redis.call('SET', entry, doubt .. '?', 'PX', doubt_ms)
  end
end
