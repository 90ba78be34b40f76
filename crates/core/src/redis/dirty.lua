-- KEYS: entries. Returns what each holds that only the journal has besides, nothing for the others.
local dirty = {}
for i = 1, #KEYS do
  local held = held_in(KEYS[i])
  local state = held and string.sub(held, 17, 17)
  local is_dirty = state == 'E' or state == 'D' and not is_clean(KEYS[i], state)
  dirty[i] = is_dirty and held
end
return dirty
