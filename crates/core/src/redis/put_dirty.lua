-- Puts a record that only the journal has, unless something newer is held. Scripts that call
-- this have it put before them, after `forms.lua`.
local function put_dirty(entry, version, body)
  local held = held_in(entry)
  local state = held and string.sub(held, 17, 17)
  local held_version = held and string.sub(held, 1, 16)
  if not held or state == 'F' then
    redis.call('SET', entry, version .. 'D' .. body)
  elseif state == '?' and held_version > version then
    redis.call('SET', entry, version .. 'E' .. held_version .. body)
  elseif held_version < version then
    local doubt = state == 'E' and string.sub(held, 18, 33)
    if doubt and doubt > version then
      redis.call('SET', entry, version .. 'E' .. doubt .. body)
    else
      redis.call('SET', entry, version .. 'D' .. body)
    end
  end
end

