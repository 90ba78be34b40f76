-- Makes a dead letter of what is held back, if it has the version of the letter and there is room. Its reason becomes
-- that of the letter in any case.
-- KEYS: dead letters, keys that are held back, their bytes. ARGV: key, letter, most dead letters. Returns whether it did.
local letters, held_back = redis.call('HLEN', KEYS[1]), redis.call('ZCARD', KEYS[2])
local held = redis.call('HGET', KEYS[1], ARGV[1])
if not held then
  -- It ended in an older version of this program, which does not know that it is held back.
  end_held_back(KEYS[2], KEYS[3], ARGV[1], held)
  return 0
end
if string.sub(held, 1, 16) ~= string.sub(ARGV[2], 1, 16) or not redis.call('ZSCORE', KEYS[2], ARGV[1]) then
  return 0
end
local has_room = letters - held_back < tonumber(ARGV[3])
if has_room then
  end_held_back(KEYS[2], KEYS[3], ARGV[1], held)
end
-- Where the server is out of memory, the reason stays.
if held ~= ARGV[2] and type(redis.pcall('HSET', KEYS[1], ARGV[1], ARGV[2])) == 'number' and not has_room then
  add_held_back_bytes(KEYS[2], KEYS[3], #ARGV[2] - #held)
end
return has_room and 1 or 0
