-- Puts records that the database has committed, where nothing newer is held,
-- and ends the doubt that their versions began.
-- KEYS: the newest version that is known to be committed, then entries. ARGV: lifetime in
-- ms, the newest of these versions, then of each the entry that is to be held.
local all = redis.call('MGET', unpack(KEYS))
-- Versions have as many digits, so that they compare as texts.
if not all[1] or not is_version(all[1]) or all[1] < ARGV[2] then
  redis.call('SET', KEYS[1], ARGV[2])
end
for i = 2, #KEYS do
  local entry, held = ARGV[i + 1], all[i]
  local version = string.sub(entry, 1, 16)
  -- Nearly always it is the mark of this very write.
  if held == version .. '?' then
    redis.call('SET', KEYS[i], entry, 'PX', ARGV[1])
  else
    held = held and is_entry(held) and held
    local state = held and string.sub(held, 17, 17)
    if not held or state == 'F' or string.sub(held, 1, 17) == '0000000000000000C' then
      -- The mark is lost. A newer write may have come and gone since, even a deletion
      -- whose tombstone was purged. A reader's ticket is void.
      redis.call('DEL', KEYS[i])
    else
      local newest = string.sub(held, 1, 16)
      if state == 'E' and string.sub(held, 18, 33) > newest then
        newest = string.sub(held, 18, 33)
      end
      -- A version that is held clean already may be put again: it is the same.
      if newest <= version then
        redis.call('SET', KEYS[i], entry, 'PX', ARGV[1])
      elseif state == '?' and string.sub(held, 18) < version then
        -- Should the write in flight not take place, there is no doubt about this
        -- one any more, nor about any before it.
        redis.call('SET', KEYS[i], string.sub(held, 1, 17) .. version)
      end
    end
  end
end
