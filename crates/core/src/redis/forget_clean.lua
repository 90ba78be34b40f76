-- Forgets what a run of the server had cached that only the database has, before
-- the shard is used in it once more.
-- KEYS: clock, entries.
-- Returns 1, or 0 if the shard is in use already.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
for i = 2, #KEYS do
  local state = redis.call('GETRANGE', KEYS[i], 16, 16)
  -- What is dirty somebody has just brought back.
  if state ~= 'D' and state ~= 'E' then
    redis.call('DEL', KEYS[i])
  end
end
return 1
