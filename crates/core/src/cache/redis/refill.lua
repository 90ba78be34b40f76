-- Puts a record read from the database in place of a clean one, if the entry has not changed
-- since before the database was read: every write of the key replaces it.
-- KEYS: clock, entry. ARGV: the clean entry, version, lifetime in ms, body, the newest
-- version that is known to be issued.
-- Returns whether it did, and if not, what is held instead ('false' = nothing).
local both = redis.call('MGET', KEYS[1], KEYS[2])
local clock = clock_of(both[1], ARGV[5])
if not clock then
  return unseeded()
end
if both[2] ~= ARGV[1] then
  return {0, both[2]}
end
-- First, since a server that is out of memory refuses it, and the rest with it.
redis.call('SET', KEYS[2], ARGV[2] .. 'C' .. ARGV[4], 'PX', ARGV[3])
-- The clock stays at or above every version held: see `fill.lua`.
if clock < ARGV[2] then
  redis.call('SET', KEYS[1], ARGV[2])
end
return {1, false}
