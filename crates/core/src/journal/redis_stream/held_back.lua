-- What is held back: the keys in a sorted set in which all scores are 0, and in a number about how many bytes they and
-- their letters take. Another program may have put something else into both: nothing here fails.

-- About what a letter takes: the key is in the hash and in the sorted set, each with its links.
local function held_back_bytes(key, letter)
  return 2 * #key + #letter + 200
end

-- Adds to the number, which ends with the last key. So a process that does not know it leaves it wrong only until then.
local function add_held_back_bytes(keys, number, by)
  if redis.pcall('ZCARD', keys) == 0 then
    redis.call('DEL', number)
  elseif type(redis.pcall('INCRBY', number, by)) ~= 'number' then
    redis.call('SET', number, math.max(by, 0))
  end
end

-- Takes a key out. `letter`: that of the key, false where there is none. Returns whether the key was there.
local function end_held_back(keys, number, key, letter)
  if redis.pcall('ZREM', keys, key) ~= 1 then
    return false
  end
  add_held_back_bytes(keys, number, letter and -held_back_bytes(key, letter) or 0)
  return true
end
