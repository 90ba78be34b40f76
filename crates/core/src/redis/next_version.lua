-- The version that a shard's clock issues next, from the server's own time, where
-- the clock is at `last`. Scripts that call this have it put before them, and set
-- the clock to the last version that they issued.
local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end
local function next_version(last, now)
  return math.max(now, tonumber(last) + 1)
end

