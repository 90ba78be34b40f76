-- Forgets a dirty version, where it is still the one held.
-- KEYS: entry. ARGV: version, lifetime of a mark of doubt in ms.
discard(KEYS[1], ARGV[1], ARGV[2])
