-- How many writes wait. KEYS: journal, waiting.
local held = redis.call('MGET', KEYS[2])[1]
local _, writes = waiting_in(KEYS[1], redis.call('XLEN', KEYS[1]), held)
return writes
