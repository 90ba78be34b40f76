-- Issues versions, puts values into the cache, appends to the journal.
-- KEYS: clock, journal, waiting, then the entry of each write.
-- ARGV: the channel on which to call others if there was nothing in the journal ('' = none), the shard, the
-- newest version that is known to be issued, the packed writes (`stream.rs`), then, if any write has one, the
-- condition of each ('' = none; `condition.rs` has the form).
-- Returns the version of the first write that took place, those of the others being the next ones; what became
-- of each write, a letter each: 'w' written, 'f' its condition failed, 'u' unknown, as the cache does not hold
-- the key ('' = all are written); and how many writes wait then.

-- Whether a condition holds for a cached entry, clean or dirty.
local function holds(condition, held)
  local sign, exists = string.sub(condition, 1, 1), #held > 17
  if sign == '+' then
    return exists
  elseif sign == '-' then
    return not exists
  end
  local listed = exists and string.find(condition, string.sub(held, 1, 16), 2, true)
  if sign == '=' then
    return listed
  end
  return not listed
end

local keys, argv, byte, sub = KEYS, ARGV, string.byte, string.sub

-- The packed form of a number (LEB128).
local function encode_number(number)
  if number < 128 then
    return string.char(number)
  end
  return string.char(number % 128 + 128) .. encode_number(math.floor(number / 128))
end

local values = {}

-- What becomes of a write on its condition.
local function judge(condition, entry)
  if condition == '' then
    return 'w'
  end
  local held = values[entry] or held_in(entry)
  local state = held and sub(held, 17, 17)
  if state ~= 'C' and state ~= 'D' then
    return 'u'
  end
  return holds(condition, held) and 'w' or 'f'
end

local held = redis.call('MGET', keys[1], keys[3])
local last = clock_of(held[1], argv[3])
local length = redis.call('XLEN', keys[2])
if not last or length == 0 and redis.call('EXISTS', keys[2]) == 0 then
  -- The server has restarted, or what the journal held is lost.
  return unseeded()
end
local entries, writes, bytes, through = waiting_in(keys[2], length, held[2])
local version = next_version(last, now())
local first = string.format('%016.0f', version)
local packed, has_conditions = argv[4], argv[5] ~= nil
local verdicts, kept = {}, {}
-- What is to be cached: names and values in turn. All are set by one command at the end, which costs less than
-- one each. The versions differ in their last digits, which are not formatted each time.
local sets, set, count = {}, 0, 0
local digits, tail = sub(first, 1, 15), byte(first, 16) - 48
local tails = {[0] = '0D', '1D', '2D', '3D', '4D', '5D', '6D', '7D', '8D', '9D'}
local _, at = number_at(packed, 2)
for i = 4, #keys do
  local from = at
  local key, body = byte(packed, at, at + 1)
  at = at + 2
  if key > 127 or body > 127 then
    key, at = number_at(packed, from)
    body, at = number_at(packed, at)
  end
  at = at + key + body
  local entry, verdict = keys[i], 'w'
  if has_conditions then
    verdict = judge(argv[i + 1], entry)
    verdicts[i - 3] = verdict
  end
  if verdict == 'w' then
    if tail == 10 then
      tail, digits = 0, sub(string.format('%016.0f', version + count), 1, 15)
    end
    -- No version held is newer: the clock is above all that were issued, and a fill raises it.
    local value = digits .. tails[tail] .. sub(packed, at - body, at - 1)
    sets[set + 1] = entry
    sets[set + 2] = value
    set, tail, count = set + 2, tail + 1, count + 1
    if has_conditions then
      values[entry] = value
      kept[count] = sub(packed, from, at - 1)
    end
  end
end
if count == 0 then
  return {first, table.concat(verdicts), writes}
end
if count < #keys - 3 then
  packed = '\1' .. encode_number(count) .. table.concat(kept)
end
local newest = string.format('%016.0f', version + count - 1)
-- Before anything is cached; it ends the script if it fails.
local added = redis.pcall('XADD', keys[2], newest .. '-0', 'w', packed)
if added.err then
  -- Another program has appended something that is newer than all versions.
  return string.find(added.err, 'XADD') and unseeded() or added
end
sets[set + 1] = keys[1]
sets[set + 2] = newest
sets[set + 3] = keys[3]
sets[set + 4] = encode_waiting(entries + 1, writes + count, bytes + #packed + 1 + entry_bytes, through)
-- In parts that fit Lua's stack.
for from = 1, #sets, 4000 do
  redis.call('MSET', unpack(sets, from, math.min(from + 3999, #sets)))
end
if length == 0 and argv[1] ~= '' then
  redis.call('PUBLISH', argv[1], argv[2])
end
return {first, table.concat(verdicts), writes + count}
