-- KEYS: journal, clock. Returns depth, bytes, the oldest entry's version, the
-- clock's version, and microseconds since the oldest entry was appended.
local depth = redis.call('XLEN', KEYS[1])
local clock = redis.call('GET', KEYS[2]) or ''
local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
if not oldest then
  return {'0', '0', '', clock, '0'}
end
local version = string.match(oldest[1], '^%d+')
local time = redis.call('TIME')
local age = math.max(0, tonumber(time[1]) * 1000000 + tonumber(time[2]) - tonumber(version))
local bytes = redis.call('MEMORY', 'USAGE', KEYS[1]) or 0
return {tostring(depth), tostring(bytes), version, clock, string.format('%.0f', age)}
