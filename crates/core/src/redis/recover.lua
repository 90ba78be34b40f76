-- Caches acknowledged writes that the database does not have, before the shard
-- is used in this run of the server.
-- KEYS: clock, runs, an entry for each triple of ARGV, then entries of the runs
-- before to remove. ARGV: run, then of each entry 'dirty', version and body, or
-- 'stored', the version that the database has, and nothing.
-- Returns 1, or 0 if the shard is in use already.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
-- First, since a server that is out of memory takes it, and the rest with it.
redis.call('DEL', KEYS[1])
-- Should the server end before the clock is there, the next run removes what
-- this one has cached.
local runs = redis.call('GET', KEYS[2]) or ''
if not string.find(' ' .. runs .. ' ', ' ' .. ARGV[1] .. ' ', 1, true) then
  redis.call('SET', KEYS[2], runs .. ' ' .. ARGV[1])
end
local entries = (#ARGV - 1) / 3
for i = entries + 3, #KEYS do
  redis.call('DEL', KEYS[i])
end
for i = 1, entries do
  local entry, state, version, body = KEYS[i + 2], ARGV[3 * i - 1], ARGV[3 * i], ARGV[3 * i + 1]
  local held = redis.call('GETRANGE', entry, 0, 15)
  if state == 'dirty' then
    if held == '' or tonumber(held) < tonumber(version) then
      redis.call('SET', entry, version .. 'D' .. body)
    end
  elseif held ~= '' and tonumber(held) <= tonumber(version) then
    -- From an attempt before, when the database did not have it yet.
    redis.call('DEL', entry)
  end
end
return 1
