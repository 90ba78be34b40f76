-- What is known of the databases with one identity.
-- KEYS: binding, served, then of each shard: committed, journal, dead letters. ARGV: how many shards
-- there are; the others have the names of an older version.
-- Returns the binding, the newest committed version, the number of waiting entries and
-- dead letters, the same in shards of an older version, then name and place of each live process.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local committed, waiting, left = '', 0, 0
for i = 3, #KEYS, 3 do
  local version = redis.call('MGET', KEYS[i])[1]
  if version and is_version(version) and version > committed then
    committed = version
  end
  local waits = redis.call('XLEN', KEYS[i + 1]) + redis.call('HLEN', KEYS[i + 2])
  if i < 3 + 3 * tonumber(ARGV[1]) then
    waiting = waiting + waits
  else
    left = left + waits
  end
end
local answer = {redis.call('GET', KEYS[1]) or '', committed, tostring(waiting), tostring(left)}
local served = redis.call('HGETALL', KEYS[2])
for i = 1, #served, 2 do
  if (tonumber(string.sub(served[i + 1], 1, 16)) or 0) > now then
    answer[#answer + 1] = served[i]
    answer[#answer + 1] = string.sub(served[i + 1], 17)
  end
end
return answer
