-- KEYS: journal, clock, drained, dead letters. ARGV: the newest version that is known to be
-- issued. Returns depth, bytes, the oldest
-- entry's version, the clock's version, microseconds since the oldest entry was
-- appended, entries ever drained, dead letters, and what tells the stream from one
-- that was made in its place. Without a stream, as without a clock, nothing is known.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return {'0', '0', '', '', '0', '0', '0', ''}
end
local group = redis.call('XINFO', 'GROUPS', KEYS[1])[1]
local made = group and group[2] or ''
local depth = redis.call('XLEN', KEYS[1])
local held = redis.call('MGET', KEYS[2], KEYS[3])
local clock = clock_of(held[1], ARGV[1]) or ''
local drained = string.match(held[2] or '', '^%d+$') or '0'
local dead = redis.pcall('HLEN', KEYS[4])
dead = tostring(type(dead) == 'number' and dead or 0)
local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
if not oldest then
  return {'0', '0', '', clock, '0', drained, dead, made}
end
local version = string.match(oldest[1], '^%d+')
local time = redis.call('TIME')
local age = math.max(0, tonumber(time[1]) * 1000000 + tonumber(time[2]) - tonumber(version))
local bytes = redis.call('MEMORY', 'USAGE', KEYS[1]) or 0
return {tostring(depth), tostring(bytes), version, clock, string.format('%.0f', age), drained, dead, made}
