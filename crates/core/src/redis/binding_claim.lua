-- Registers a process as alive, and exchanges the binding.
-- KEYS: binding, served. ARGV: the binding expected, the one to put, process, its place,
-- lifetime of the registration in ms, '1' if no process may serve another place.
-- Returns 1 if it did, 0 if the binding is another one or such a process is alive.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
-- First, since a server that is out of memory takes it, and the rest with it.
redis.call('HDEL', KEYS[2], ARGV[3])
local served = redis.call('HGETALL', KEYS[2])
for i = 1, #served, 2 do
  if (tonumber(string.sub(served[i + 1], 1, 16)) or 0) <= now then
    redis.call('HDEL', KEYS[2], served[i])
  elseif ARGV[6] == '1' and string.sub(served[i + 1], 17) ~= ARGV[4] then
    return 0
  end
end
if ARGV[1] ~= ARGV[2] then
  redis.call('SET', KEYS[1], ARGV[2])
end
redis.call('HSET', KEYS[2], ARGV[3], string.format('%016.0f', now + tonumber(ARGV[5])) .. ARGV[4])
return 1
