-- The newest id of a stream as a number, 0 where it has no entry.
local function newest_entry(stream)
  local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
  return last and tonumber(string.match(last[1], '^%d+')) or 0
end

-- Sets the last id of a stream back to that of its newest entry, by a copy: XSETID refuses to go behind
-- an entry that was deleted, in Redis 8.
local function set_back(stream)
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
end

