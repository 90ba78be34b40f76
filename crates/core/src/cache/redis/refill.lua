-- Puts a record read from the database in place of a clean one, if the entry has not changed
-- since before the database was read: every write of the key replaces it.
-- KEYS: clock, entry. ARGV: the clean entry, version, lifetime in ms, body.
-- Returns whether it did, and if not, what is held instead ('false' = nothing).
local clock = redis.call('GET', KEYS[1])
if not clock then
  return unseeded()
end
local held = redis.call('GET', KEYS[2])
if held ~= ARGV[1] then
  return {0, held}
end
-- First, since a server that is out of memory refuses it, and the rest with it.
redis.call('SET', KEYS[2], ARGV[2] .. 'C' .. ARGV[4], 'PX', ARGV[3])
-- The clock stays at or above every version held: see `fill.lua`.
if tonumber(clock) < tonumber(ARGV[2]) then
  redis.call('SET', KEYS[1], ARGV[2])
end
return {1, false}
