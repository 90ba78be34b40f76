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
local held = both[2]
-- A value that was drained has the letter of a dirty one.
local as_clean = held
if held and string.sub(held, 17, 17) == 'D' and is_clean(KEYS[2], 'D') then
  as_clean = string.sub(held, 1, 16) .. 'C' .. string.sub(held, 18)
end
if as_clean ~= ARGV[1] then
  return {0, held}
end
-- First, since a server that is out of memory refuses it, and the rest with it.
redis.call('SET', KEYS[2], ARGV[2] .. 'C' .. ARGV[4], 'PX', ARGV[3])
-- The clock stays at or above every version held: see `fill.lua`.
if clock < ARGV[2] then
  redis.call('SET', KEYS[1], ARGV[2])
end
return {1, false}
