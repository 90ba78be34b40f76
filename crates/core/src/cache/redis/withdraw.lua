-- Ends the doubt about writes that did not take place.
-- KEYS: entries. ARGV: of each entry the version of the write and the newest write that was
-- in flight before it ('' = none).
for i = 1, #KEYS do
  local version, before = ARGV[2 * i - 1], ARGV[2 * i]
  local held = held_in(KEYS[i])
  local state = held and string.sub(held, 17, 17)
  if state == '?' and string.sub(held, 1, 16) == version then
    local settled = string.sub(held, 18)
    if before == '' or settled >= before then
      redis.call('DEL', KEYS[i])
    else
      redis.call('SET', KEYS[i], before .. '?' .. settled)
    end
  elseif state == 'E' and string.sub(held, 18, 33) == version then
    if before == '' then
      redis.call('SET', KEYS[i], string.sub(held, 1, 16) .. 'D' .. string.sub(held, 34))
    else
      redis.call('SETRANGE', KEYS[i], 17, before)
    end
  end
end
