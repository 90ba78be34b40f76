-- What is known of the databases with one identity.
-- KEYS: binding, served, then of each shard: committed, journal, dead letters, waiting.
-- Returns the binding, the newest committed version, the number of waiting writes and
-- dead letters, then name and place of each live process.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local committed, waiting = '', 0
for i = 3, #KEYS, 4 do
  local held = redis.call('MGET', KEYS[i], KEYS[i + 3])
  local version = held[1]
  if version and is_version(version) and version > committed then
    committed = version
  end
  local _, writes = waiting_in(KEYS[i + 1], redis.call('XLEN', KEYS[i + 1]), held[2])
  waiting = waiting + writes + redis.call('HLEN', KEYS[i + 2])
end
local answer = {redis.call('GET', KEYS[1]) or '', committed, string.format('%.0f', waiting)}
local served = redis.call('HGETALL', KEYS[2])
for i = 1, #served, 2 do
  if (tonumber(string.sub(served[i + 1], 1, 16)) or 0) > now then
    answer[#answer + 1] = served[i]
    answer[#answer + 1] = string.sub(served[i + 1], 17)
  end
end
return answer
