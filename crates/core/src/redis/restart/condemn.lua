-- Removes an invalid or older clock, so that all processes find it missing.
-- KEYS: clock. ARGV: the newest version that is known to be issued.
-- Returns 1 if there is a clock, 0 if there is none any more.
if clock_of(redis.call('MGET', KEYS[1])[1], ARGV[1]) then
  return 1
end
redis.call('DEL', KEYS[1])
return 0
