-- Gives a ticket back unused.
-- KEYS: entry. ARGV: ticket.
if redis.call('MGET', KEYS[1])[1] == '0000000000000000F' .. ARGV[1] then
  redis.call('DEL', KEYS[1])
end
