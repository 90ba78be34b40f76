-- The answer of a script that cannot go on before the shard's clock is raised.
-- Scripts that call this have it put before them.
local function unseeded()
  return redis.error_reply('UNSEEDED the clock does not know the newest version')
end

