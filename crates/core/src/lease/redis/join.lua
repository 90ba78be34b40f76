-- Says that a process lives, for as long as a lease.
-- KEYS: processes. ARGV: process, lifetime in ms.
-- Returns whether it is new here, and those that live.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
-- First, since a server that is out of memory takes it, and the rest with it.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local joined = redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
return {joined, redis.call('ZRANGE', KEYS[1], 0, -1)}
