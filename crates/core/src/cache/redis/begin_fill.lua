-- Takes the ticket to fill a key that is not held.
-- KEYS: clock, entry. ARGV: ticket, its lifetime in ms.
-- Returns the entry if there is one, nothing if the ticket was taken.
if redis.call('EXISTS', KEYS[1]) == 0 then
  -- What is not held may be waiting in the journal.
  return unseeded()
end
local held = redis.call('GET', KEYS[2])
if not held then
  redis.call('SET', KEYS[2], '0000000000000000F' .. ARGV[1], 'PX', ARGV[2])
end
return held
