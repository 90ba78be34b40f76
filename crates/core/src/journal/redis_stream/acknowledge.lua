-- Forgets entries that the database has, marks what they left in the cache
-- clean, where it is still there, and ends older dead letters of their keys.
-- KEYS: clock, journal, dead letters, drained, what was recovered, the newest version that is
-- known to be committed, then the entry of each flushed key.
-- ARGV: the first id to keep; the lifetime in ms of a clean entry; the newest version that is
-- known to be issued; the length of the prefix before the key in an entry's name; the newest
-- flushed version; each of them.
-- Returns how many entries wait still.
local held = redis.call('MGET', KEYS[1], KEYS[5], KEYS[6])
if not clock_of(held[1], ARGV[3]) or redis.call('EXISTS', KEYS[2]) == 0 then
  -- The server has restarted: first what the journal holds must be cached. Or the
  -- journal is lost.
  return unseeded()
end
local trimmed = redis.call('XTRIM', KEYS[2], 'MINID', '=', ARGV[1])
-- IMPORTANT: nothing fails from here on, whatever another program has put into these keys.
-- The entries are gone.
if type(redis.pcall('INCRBY', KEYS[4], trimmed)) ~= 'number' then
  redis.call('SET', KEYS[4], trimmed)
end
-- Versions have as many digits, so that they compare as texts.
local committed = held[3]
if not committed or not is_version(committed) or committed < ARGV[5] then
  redis.call('SET', KEYS[6], ARGV[5])
end
local has_dead = redis.call('TYPE', KEYS[3]).ok == 'hash'
local recovered = held[2] or ''
for i = 7, #KEYS do
  local version = ARGV[i - 1]
  -- Before the server restarted, a drain may have been under way with something
  -- newer that the journal has lost: only the database knows.
  drained(KEYS[i], version, ARGV[2], version <= recovered)
  if has_dead then
    local key = string.sub(KEYS[i], ARGV[4] + 1)
    local letter = redis.call('HGET', KEYS[3], key)
    local of = letter and string.sub(letter, 1, 16)
    if of and (not is_version(of) or of <= version) then
      redis.call('HDEL', KEYS[3], key)
    end
  end
end
return redis.call('XLEN', KEYS[2])
