-- Removes entries that a run of the server had cached as clean, and what another program has
-- put in their place, before the shard is used in that run once more.
-- KEYS: clock, entries.
-- Returns 1, or 0 if the shard is in use already.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
for i = 2, #KEYS do
  local held = held_in(KEYS[i])
  local state = held and string.sub(held, 17, 17)
  -- Dirty entries are judged by the journal. A mark of doubt is right at all times.
  local stays = state == 'E' or state == '?' or state == 'D' and not is_clean(KEYS[i], state)
  if not stays then
    redis.call('DEL', KEYS[i])
  end
end
return 1
