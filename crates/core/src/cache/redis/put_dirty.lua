-- Puts records that only the journal has, where nothing newer is held.
-- KEYS: entries. ARGV: version and body of each.
for i = 1, #KEYS do
  put_dirty(KEYS[i], ARGV[2 * i - 1], ARGV[2 * i])
end
