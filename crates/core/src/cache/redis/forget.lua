-- Forgets clean values, and voids the tickets of readers that are about to fill: what they
-- have read may be as stale.
-- KEYS: entries.
for i = 1, #KEYS do
  local held = held_in(KEYS[i])
  local state = held and string.sub(held, 17, 17)
  if state == 'F' or is_clean(KEYS[i], state) then
    redis.call('DEL', KEYS[i])
  end
end
