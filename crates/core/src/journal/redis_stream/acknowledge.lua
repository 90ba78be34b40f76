-- Forgets writes that the database has, gives what they left in the cache
-- an expiry, where it is still there, and ends older dead letters of their keys.
-- KEYS: clock, journal, dead letters, drained, what was recovered, the newest version that is
-- known to be committed, waiting, keys that are held back, their bytes, then the entry of each
-- flushed key.
-- ARGV: the version through which the database has all; the lifetime in ms of a clean entry; the newest version
-- that is known to be issued; the length of the prefix before the key in an entry's name; the newest
-- flushed version; the versions of all flushed keys in one text, 16 digits each.
-- Returns how many writes wait still.
local held = redis.call('MGET', KEYS[1], KEYS[5], KEYS[6], KEYS[7])
if not clock_of(held[1], ARGV[3]) or redis.call('EXISTS', KEYS[2]) == 0 then
  -- The server has restarted: first what the journal holds must be cached. Or the
  -- journal is lost.
  return unseeded()
end
local length = redis.call('XLEN', KEYS[2])
local entries, writes, bytes, through = waiting_in(KEYS[2], length, held[4])
local before = writes
-- The entries whose writes are all acknowledged. No id of ours comes between that of the last write and the next.
local to, from = tonumber(ARGV[1]), '-'
repeat
  local page = redis.call('XRANGE', KEYS[2], from, ARGV[1] .. '-0', 'COUNT', 50)
  for _, entry in ipairs(page) do
    local count, size = weigh(entry)
    writes = writes - count + acknowledged_of(entry, count, through)
    bytes = bytes - size
    from = '(' .. entry[1]
  end
  entries = entries - #page
until #page < 50
-- Also where it removes nothing: a server that is out of memory takes it, and the rest with it.
redis.call('XTRIM', KEYS[2], 'MINID', '=', ARGV[1] .. '-1')
-- IMPORTANT: nothing fails from here on, whatever another program has put into these keys.
-- The entries are gone.
local oldest = entries > 0 and redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
if oldest then
  local count = weigh(oldest)
  local now = acknowledged_of(oldest, count, to)
  local already = acknowledged_of(oldest, count, through)
  if now > already then
    writes, through = writes - now + already, to
  end
end
redis.call('SET', KEYS[7], encode_waiting(entries, writes, bytes, through))
if type(redis.pcall('INCRBY', KEYS[4], before - writes)) ~= 'number' then
  redis.call('SET', KEYS[4], before - writes)
end
-- Versions have as many digits, so that they compare as texts.
local committed = held[3]
if not committed or not is_version(committed) or committed < ARGV[5] then
  redis.call('SET', KEYS[6], ARGV[5])
end
local has_dead = redis.call('TYPE', KEYS[3]).ok == 'hash'
local recovered = held[2] or ''
local place = 1
-- In parts that fit Lua's stack.
for part = 10, #KEYS, 4000 do
  local last = math.min(part + 3999, #KEYS)
  local cached = redis.call('MGET', unpack(KEYS, part, last))
  for i = part, last do
    local version = string.sub(ARGV[6], place, place + 15)
    place = place + 16
    -- Before the server restarted, a drain may have been under way with something
    -- newer that the journal has lost: only the database knows.
    drained(KEYS[i], cached[i - part + 1], version, ARGV[2], version <= recovered)
    if has_dead then
      local key = string.sub(KEYS[i], ARGV[4] + 1)
      local letter = redis.call('HGET', KEYS[3], key)
      local of = letter and string.sub(letter, 1, 16)
      if of and (not is_version(of) or of <= version) then
        redis.call('HDEL', KEYS[3], key)
        end_held_back(KEYS[8], KEYS[9], key, letter)
      end
    end
  end
end
return writes
