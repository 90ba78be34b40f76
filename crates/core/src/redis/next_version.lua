-- The version that a shard's clock issues next, from the server's own time;
-- nothing while the clock does not know the newest version in the database.
-- Scripts that call this have it put before them, and set the clock to the last
-- version that they issued.
local function next_version(clock)
  local last = redis.call('GET', clock)
  if not last then
    return nil
  end
  local time = redis.call('TIME')
  return math.max(tonumber(time[1]) * 1000000 + tonumber(time[2]), tonumber(last) + 1)
end

