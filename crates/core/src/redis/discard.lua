-- Forgets a version that will never be in the database, where it is still the
-- one held: a reader finds the database's again. Scripts that call this have it
-- put before them.
local function discard(entry, version)
  local held = held_in(entry)
  local head = held and string.sub(held, 1, 17)
  if head == version .. 'D' then
    if not is_clean(entry, 'D') then
      redis.call('DEL', entry)
    end
  elseif head == version .. 'E' then
    redis.call('SET', entry, string.sub(held, 18, 33) .. '?')
  end
end

