-- Takes the ticket to fill a key that is not held.
-- KEYS: clock, entry. ARGV: ticket, its lifetime in ms, the newest version that is known to
-- be issued, lifetime of a mark of doubt in ms.
-- Returns the entry if there is one, nothing if the ticket was taken.
local both = redis.call('MGET', KEYS[1], KEYS[2])
if not clock_of(both[1], ARGV[3]) then
  -- What is not held may be waiting in the journal.
  return unseeded()
end
local held = both[2]
local ticket = '0000000000000000F' .. ARGV[1]
if held and is_entry(held) then
  if string.sub(held, 17, 17) == '?' and is_over(held, ARGV[4]) then
    redis.call('SET', KEYS[2], ticket, 'PX', ARGV[2])
    return false
  end
  return held
end
if held or not redis.call('SET', KEYS[2], ticket, 'NX', 'PX', ARGV[2]) then
  -- Of another program. What it has replaced may be in the journal alone.
  redis.call('DEL', KEYS[1])
  return unseeded()
end
return false
