-- Sets the last id of a stream back to that of its newest entry, by a copy: in Redis 8, XSETID refuses to go
-- behind an entry that was deleted. Returns that id as a number, 0 where there is no entry. While the newest
-- entry is itself above `newest_max`, it does nothing and returns 0.
local function set_back(stream)
  local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
  local newest = last and tonumber(string.match(last[1], '^%d+')) or 0
  if newest > tonumber(newest_max) then
    return 0
  end
  local copy, from = stream .. ':copy', '-'
  redis.call('DEL', copy)
  repeat
    local entries = redis.call('XRANGE', stream, from, '+', 'COUNT', 1000)
    for _, entry in ipairs(entries) do
      redis.call('XADD', copy, entry[1], unpack(entry[2]))
      from = '(' .. entry[1]
    end
  until #entries == 0
  -- The name of the group tells this stream from one that is made in its place.
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    redis.call('XGROUP', 'CREATE', copy, group[2], '$', 'MKSTREAM')
  end
  redis.call('DEL', stream)
  if redis.call('EXISTS', copy) == 1 then
    redis.call('RENAME', copy, stream)
  end
  return newest
end

