-- The clock of a shard. Scripts that need one have this put before them, after `forms.lua`.

-- The answer of a script that cannot go on before the shard's clock is raised.
local function unseeded()
  return redis.error_reply('UNSEEDED the clock does not know the newest version')
end

-- The newest version issued, where `value` is what MGET answers for the clock; nil if the
-- clock is missing or invalid. `known` is a version that the caller knew to be issued. An older
-- clock belongs to data that another program has put in place of newer ones. A clock without
-- room for a batch was not set by these scripts.
local function clock_of(value, known)
  if value and is_version(value) and value >= known and value <= newest_max then
    return value
  end
end

