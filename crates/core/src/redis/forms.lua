-- The forms that scripts accept in a key: only those that the scripts themselves write. Another
-- program may have put anything there. Scripts that need this have it put before them.

-- `Version::NEWEST_MAX`: a clock or an id of a stream above it counts as one of another program.
local newest_max = '8975663254740991'

-- Whether this is a version in the form that the scripts write.
local function is_version(text)
  return #text == 16 and text <= '9007199254740991' and not string.find(text, '%D')
end

-- Whether this is a cached entry: see `entry.rs`.
local function is_entry(held)
  if not is_version(string.sub(held, 1, 16)) then
    return false
  end
  local state = string.sub(held, 17, 17)
  return state == 'C' or state == 'D' or state == '?' or state == 'F'
    or state == 'E' and is_version(string.sub(held, 18, 33))
end

-- Whether the database, too, has the value of an entry in this state. A dirty entry has no expiry until
-- it is drained.
local function is_clean(key, state)
  return state == 'C' or state == 'D' and redis.call('PTTL', key) >= 0
end

-- The cached entry in a key, if there is one. (MGET answers nothing for a key of another
-- type, where GET fails.)
local function held_in(key)
  local held = redis.call('MGET', key)[1]
  return held and is_entry(held) and held
end

