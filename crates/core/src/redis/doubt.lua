-- A mark of doubt has no expiry: a server that evicts what has one would choose it, and a
-- reader would then cache what the database has before the write that it marks. Its version
-- is the time at which that write began. Scripts that need this have it put before them.

-- Whether the lifetime of a mark is over.
local function is_over(mark, lifetime_ms)
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
  return tonumber(string.sub(mark, 1, 16)) + tonumber(lifetime_ms) * 1000 < now
end

