-- Puts a record read from the database, if the ticket is still there: every
-- write of the key overwrites it, and an eviction or an expiry removes it.
-- KEYS: clock, entry. ARGV: ticket, version, lifetime in ms, body, the newest version that
-- is known to be issued.
-- Returns 1 if it did.
local both = redis.call('MGET', KEYS[1], KEYS[2])
local clock = clock_of(both[1], ARGV[5])
if not clock or both[2] ~= '0000000000000000F' .. ARGV[1] then
  return 0
end
-- The clock stays at or above every version held, so that the next version
-- issued is newer than this one wherever it came from.
if clock < ARGV[2] then
  redis.call('SET', KEYS[1], ARGV[2])
end
redis.call('SET', KEYS[2], ARGV[2] .. 'C' .. ARGV[4], 'PX', ARGV[3])
return 1
