-- Forgets a dirty version, where it is still the one held.
-- KEYS: entry. ARGV: version.
discard(KEYS[1], ARGV[1])
