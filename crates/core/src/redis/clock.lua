-- The clock of a shard. Scripts that need one have this put before them, after `forms.lua`.

-- The answer of a script that cannot go on before the shard's clock is raised.
local function unseeded()
  return redis.error_reply('UNSEEDED the clock does not know the newest version')
end

-- The newest version issued, where `value` is what MGET answers of the clock; nil where the
-- clock says nothing. A clock that is older than `known`, a version that the caller knew to
-- be issued, belongs to data that another program has put in place of newer ones. One that
-- has room for no batch is not one that these scripts have set.
local function clock_of(value, known)
  if value and is_version(value) and value >= known and value <= '8975663254740991' then
    return value
  end
end

