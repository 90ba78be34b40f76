-- Caches acknowledged writes that the database does not have, before the shard
-- is used in this run of the server.
-- KEYS: clock, what was recovered, runs, an entry for each triple of ARGV, then entries of
-- the runs before to remove. ARGV: what was recovered when this began, run, then of each entry
-- 'dirty', version and body, or 'stored', the version that the database has, and nothing.
-- Returns 1, or 0 if the shard is in use already, or was since.
if redis.call('EXISTS', KEYS[1]) == 1 or (redis.call('MGET', KEYS[2])[1] or '') ~= ARGV[1] then
  return 0
end
-- First, since a server that is out of memory takes it, and the rest with it.
redis.call('DEL', KEYS[1])
-- Should the server end before the clock is there, the next run removes what
-- this one has cached.
local runs = redis.call('MGET', KEYS[3])[1] or ''
if not string.find(' ' .. runs .. ' ', ' ' .. ARGV[2] .. ' ', 1, true) then
  redis.call('SET', KEYS[3], runs .. ' ' .. ARGV[2])
end
local entries = (#ARGV - 2) / 3
for i = entries + 4, #KEYS do
  redis.call('DEL', KEYS[i])
end
for i = 1, entries do
  local entry, state, version, body = KEYS[i + 3], ARGV[3 * i], ARGV[3 * i + 1], ARGV[3 * i + 2]
  if state == 'dirty' then
    put_dirty(entry, version, body)
  else
    -- From an earlier recovery, when the database did not have it yet.
    drained(entry, redis.call('MGET', entry)[1], version, '', true)
  end
end
return 1
