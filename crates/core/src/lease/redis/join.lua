-- Puts a process into the list of live processes, for as long as a lease. A process that
-- cannot drain is removed from the list instead, if the list has other processes.
-- KEYS: processes. ARGV: process, lifetime in ms, 1 if the process can drain.
-- Returns whether the process is new in the list, and the live processes.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
-- This comes first: a server that is out of memory takes it, and then the rest of the script.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local joined = 0
local others = redis.call('ZCARD', KEYS[1])
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  others = others - 1
end
if ARGV[3] == '1' or others == 0 then
  joined = redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
else
  redis.call('ZREM', KEYS[1], ARGV[1])
end
return {joined, redis.call('ZRANGE', KEYS[1], 0, -1)}
