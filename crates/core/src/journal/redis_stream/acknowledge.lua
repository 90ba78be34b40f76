-- Forgets entries that the database has, and marks what they left in the cache
-- clean, where it is still there.
-- KEYS: journal, then the entry of each flushed key. ARGV: the first id to
-- keep, lifetime in ms of a clean entry, of a mark of doubt, then the flushed
-- version of each entry.
redis.call('XTRIM', KEYS[1], 'MINID', '=', ARGV[1])
for i = 2, #KEYS do
  mark_clean(KEYS[i], ARGV[2 + i], ARGV[2], ARGV[3])
end
