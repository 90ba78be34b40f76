-- Gives flushed versions an expiry, by which they are clean, where they are still the ones held.
-- KEYS: entries. ARGV: lifetime in ms of a clean entry, then the flushed version of each.
for i = 1, #KEYS do
  local version, held = ARGV[1 + i], held_in(KEYS[i])
  local head = held and string.sub(held, 1, 17)
  if head == version .. 'D' then
    redis.call('PEXPIRE', KEYS[i], ARGV[1])
  elseif head == version .. 'E' then
    redis.call('SET', KEYS[i], string.sub(held, 18, 33) .. '?')
  end
end
