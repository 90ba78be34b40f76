-- Caches acknowledged writes that the database does not have, before the shard
-- is used in this run of the server.
-- KEYS: clock, entries, then entries of the run before to remove. ARGV: version
-- and body of each of the first.
-- Returns 1, or 0 if the shard is in use already.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
local dirty = #ARGV / 2
-- First, since a server that is out of memory takes it, and the rest with it.
for i = dirty + 2, #KEYS do
  redis.call('DEL', KEYS[i])
end
for i = 1, dirty do
  local entry, version, body = KEYS[i + 1], ARGV[2 * i - 1], ARGV[2 * i]
  local held = redis.call('GETRANGE', entry, 0, 15)
  if held == '' or tonumber(held) < tonumber(version) then
    redis.call('SET', entry, version .. 'D' .. body)
  end
end
return 1
