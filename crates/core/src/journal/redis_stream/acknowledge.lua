-- Forgets entries that the database has, marks what they left in the cache
-- clean, where it is still there, and ends older dead letters of their keys.
-- KEYS: clock, journal, dead letters, drained, what was recovered, the newest version that is
-- known to be committed, then the entry of each flushed key.
-- ARGV: the first id to keep; the lifetimes in ms of a clean entry and of a mark of doubt; the
-- length of the prefix before the key in an entry's name; the newest flushed version; each of
-- them.
-- Returns how many entries wait still.
if redis.call('EXISTS', KEYS[1], KEYS[2]) < 2 then
  -- The server has restarted: first what the journal holds must be cached. Or the
  -- journal is lost.
  return unseeded()
end
local trimmed = redis.call('XTRIM', KEYS[2], 'MINID', '=', ARGV[1])
redis.call('INCRBY', KEYS[4], trimmed)
-- Versions have as many digits, so that they compare as texts.
if (redis.call('GET', KEYS[6]) or '') < ARGV[5] then
  redis.call('SET', KEYS[6], ARGV[5])
end
local has_dead = redis.call('EXISTS', KEYS[3]) == 1
local recovered = redis.call('GET', KEYS[5]) or ''
for i = 7, #KEYS do
  local version = ARGV[i - 1]
  if version <= recovered then
    -- Before the server came back, a drain may have been on its way with
    -- something newer that the journal has lost: only the database can tell.
    discard(KEYS[i], version, ARGV[3])
  else
    local head = mark_clean(KEYS[i], version, ARGV[2], ARGV[3]) or ''
    local state = string.sub(head, 17)
    if state == 'F' or (state == 'C' and string.sub(head, 1, 16) < version) then
      -- The dirty entry was evicted, and a reader has filled its place, or is about
      -- to, with something older from the database.
      redis.call('DEL', KEYS[i])
    end
  end
  if has_dead then
    local key = string.sub(KEYS[i], ARGV[4] + 1)
    local letter = redis.call('HGET', KEYS[3], key)
    if letter and tonumber(string.sub(letter, 1, 16)) <= tonumber(version) then
      redis.call('HDEL', KEYS[3], key)
    end
  end
end
return redis.call('XLEN', KEYS[2])
