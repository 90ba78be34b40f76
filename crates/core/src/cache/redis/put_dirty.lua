-- Puts records that only the journal has, where nothing newer is held.
-- KEYS: entries. ARGV: version and body of each.
for i = 1, #KEYS do
  local version, body = ARGV[2 * i - 1], ARGV[2 * i]
  local held = redis.call('GET', KEYS[i])
  local state = held and string.sub(held, 17, 17)
  local held_version = held and tonumber(string.sub(held, 1, 16))
  if not held or state == 'F' then
    redis.call('SET', KEYS[i], version .. 'D' .. body)
  elseif state == '?' and held_version > tonumber(version) then
    redis.call('SET', KEYS[i], version .. 'E' .. string.sub(held, 1, 16) .. body)
  elseif held_version < tonumber(version) then
    local doubt = state == 'E' and string.sub(held, 18, 33)
    if doubt and tonumber(doubt) > tonumber(version) then
      redis.call('SET', KEYS[i], version .. 'E' .. doubt .. body)
    else
      redis.call('SET', KEYS[i], version .. 'D' .. body)
    end
  end
end
