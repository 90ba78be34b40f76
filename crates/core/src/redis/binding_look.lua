-- What is known of the databases with one identity.
-- KEYS: binding, served, then of each shard: committed, journal, dead letters, waiting; then of each shard of
-- an older version: committed, journal, dead letters. ARGV: how many shards there are.
-- Returns the binding, the newest committed version, the number of waiting writes and dead letters, the same
-- in shards of an older version, then name and place of each live process.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local committed, waiting, left = '', 0, 0
local function saw(version)
  if version and is_version(version) and version > committed then
    committed = version
  end
end
local older = 3 + 4 * tonumber(ARGV[1])
for i = 3, older - 1, 4 do
  local held = redis.call('MGET', KEYS[i], KEYS[i + 3])
  saw(held[1])
  local _, writes = waiting_in(KEYS[i + 1], redis.call('XLEN', KEYS[i + 1]), held[2])
  waiting = waiting + writes + redis.call('HLEN', KEYS[i + 2])
end
for i = older, #KEYS, 3 do
  saw(redis.call('MGET', KEYS[i])[1])
  left = left + redis.call('XLEN', KEYS[i + 1]) + redis.call('HLEN', KEYS[i + 2])
end
local answer = {redis.call('GET', KEYS[1]) or '', committed, string.format('%.0f', waiting), tostring(left)}
local served = redis.call('HGETALL', KEYS[2])
for i = 1, #served, 2 do
  if (tonumber(string.sub(served[i + 1], 1, 16)) or 0) > now then
    answer[#answer + 1] = served[i]
    answer[#answer + 1] = string.sub(served[i + 1], 17)
  end
end
return answer
