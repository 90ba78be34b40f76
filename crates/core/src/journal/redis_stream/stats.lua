-- KEYS: journal, clock, drained, dead letters, waiting, keys that are held back, their bytes. ARGV: the newest version
-- that is known to be issued. Returns how many writes wait, their bytes, the version of the oldest of them, that of the
-- oldest one that the journal has, the clock's version, microseconds since the oldest was appended, writes ever
-- drained, dead letters, what is held back, its bytes, and what tells the stream from one that was made in its place.
-- Without a stream, as without a clock, nothing is known.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return {'0', '0', '', '', '', '0', '0', '0', '0', '0', ''}
end
local group = redis.call('XINFO', 'GROUPS', KEYS[1])[1]
local made = group and group[2] or ''
local held = redis.call('MGET', KEYS[2], KEYS[3], KEYS[5], KEYS[7])
local clock = clock_of(held[1], ARGV[1]) or ''
local drained = string.match(held[2] or '', '^%d+$') or '0'
-- A key of another type counts nothing. Any other error is one, such as a command that is denied.
local function count(command, key)
  local counted = redis.pcall(command, key)
  if type(counted) == 'number' then
    return counted
  end
  return string.find(counted.err, 'WRONGTYPE') and 0 or redis.call(command, key)
end
local held_back = count('ZCARD', KEYS[6])
local dead = math.max(0, count('HLEN', KEYS[4]) - held_back)
local held_back_bytes = held_back > 0 and #(held[4] or '') < 16 and string.match(held[4] or '', '^%d+$') or '0'
held_back, dead = tostring(held_back), tostring(dead)
local entries, writes, bytes, through = waiting_in(KEYS[1], redis.call('XLEN', KEYS[1]), held[3])
local waiting = encode_waiting(entries, writes, bytes, through)
if entries > 0 and waiting ~= held[3] then
  -- So that it is not counted each time. Not where the server is out of memory.
  redis.pcall('SET', KEYS[5], waiting)
end
local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
if not oldest then
  return {'0', '0', '', '', clock, '0', drained, dead, held_back, held_back_bytes, made}
end
local count = weigh(oldest)
local first = last_of(oldest) - count + 1
local waits = first + acknowledged_of(oldest, count, through)
local time = redis.call('TIME')
local age = math.max(0, tonumber(time[1]) * 1000000 + tonumber(time[2]) - waits)
local function digits(number)
  return string.format('%.0f', number)
end
return {digits(writes), digits(bytes), digits(waits), digits(first), clock, digits(age), drained, dead, held_back,
  held_back_bytes, made}
