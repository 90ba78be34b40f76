-- Removes marks of doubt whose lifetime is over.
-- KEYS: entries. ARGV: lifetime of a mark in ms.
for i = 1, #KEYS do
  local held = held_in(KEYS[i])
  if held and string.sub(held, 17, 17) == '?' and is_over(held, ARGV[1]) then
    redis.call('DEL', KEYS[i])
  end
end
