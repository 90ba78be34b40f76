-- Takes the ticket to fill a key that is not held.
-- KEYS: entry. ARGV: ticket, its lifetime in ms.
-- Returns the entry if there is one, nothing if the ticket was taken.
local held = redis.call('GET', KEYS[1])
if not held then
  redis.call('SET', KEYS[1], '0000000000000000F' .. ARGV[1], 'PX', ARGV[2])
end
return held
