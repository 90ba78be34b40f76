-- How much waits in a journal (`docs/design/journal-in-redis.md`). Scripts that need this have it put before them.

-- About how many bytes an entry takes besides its field.
local entry_bytes = 40

-- The number at a place of a packed field (LEB128), and the place after it. Nothing if there is none.
local function number_at(packed, at)
  local number, scale = 0, 1
  repeat
    local byte = string.byte(packed, at)
    if not byte or scale > 268435456 then
      return
    end
    number = number + byte % 128 * scale
    scale = scale * 128
    at = at + 1
  until byte < 128
  return number, at
end

-- How many writes an entry of the stream holds, and its bytes. An entry of another form counts as one write.
local function weigh(entry)
  local fields, bytes = entry[2], entry_bytes
  for i = 1, #fields do
    bytes = bytes + #fields[i]
  end
  if #fields == 2 and fields[1] == 'w' and string.byte(fields[2]) == 1 then
    local count = number_at(fields[2], 2)
    if count and count > 0 and 2 * count < #fields[2] then
      return count, bytes
    end
  end
  return 1, bytes
end

-- The version of an entry's last write.
local function last_of(entry)
  return tonumber(string.match(entry[1], '^%d+'))
end

-- How many of an entry's `count` writes are acknowledged, although the entry is there. `through` counts only
-- within an entry: as anything else it is another program's, or older than the stream.
local function acknowledged_of(entry, count, through)
  local last = last_of(entry)
  if through < last and through > last - count then
    return through - last + count
  end
  return 0
end

-- The numbers in a value of the key `waiting`; nothing if it has another form.
local function parse_waiting(held)
  if not held or #held ~= 32 then
    return
  end
  local numbers = {struct.unpack('<dddd', held)}
  for i = 1, 4 do
    local number = numbers[i]
    if not (number >= 0 and number <= 9007199254740991 and number % 1 == 0) then
      return
    end
  end
  return unpack(numbers, 1, 4)
end

-- Entries, writes that wait, their bytes, and the version through which a partly acknowledged entry is
-- acknowledged. `held` is the value of the key `waiting`, `length` how many entries the stream has. What the
-- value does not count is counted now: another program has added or removed entries, or the value is lost.
local function waiting_in(stream, length, held)
  local entries, writes, bytes, through = parse_waiting(held)
  if length == 0 then
    return 0, 0, 0, 0
  elseif entries == length then
    return entries, writes, bytes, through
  elseif not entries or entries > length then
    entries, writes, bytes, through = 0, 0, 0, through or 0
  end
  -- The newest are those that are not counted.
  local from = '+'
  while entries < length do
    local page = redis.call('XREVRANGE', stream, from, '-', 'COUNT', math.min(length - entries, 100))
    if #page == 0 then
      break
    end
    for _, entry in ipairs(page) do
      local count, size = weigh(entry)
      writes = writes + count - acknowledged_of(entry, count, through)
      bytes = bytes + size
      from = '(' .. entry[1]
    end
    entries = entries + #page
  end
  return entries, writes, bytes, through
end

-- The value of the key `waiting`: four doubles, since text takes several times as long.
local function encode_waiting(entries, writes, bytes, through)
  return struct.pack('<dddd', entries, writes, bytes, through)
end

