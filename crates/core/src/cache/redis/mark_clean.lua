-- Gives flushed versions a lifetime, where they are still the ones held.
-- KEYS: entries. ARGV: lifetime in ms of a clean entry, of a mark of doubt,
-- then the flushed version of each entry.
for i = 1, #KEYS do
  mark_clean(KEYS[i], ARGV[2 + i], ARGV[1], ARGV[2])
end
