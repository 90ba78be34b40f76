-- Entries of a stream, as many as hold so many writes that wait.
-- KEYS: journal, waiting, clock. ARGV: the id to begin with; 'up' or 'down'; how many writes; the version after
-- which writes count.
-- Returns whether stream and clock are there (2 = both), the version through which a partly acknowledged entry is
-- acknowledged, and the entries.
local _, _, _, through = parse_waiting(redis.call('MGET', KEYS[2])[1])
through = through or 0
local wanted, after = tonumber(ARGV[3]), tonumber(ARGV[4])
local command, to = 'XRANGE', '+'
if ARGV[2] == 'down' then
  command, to = 'XREVRANGE', '-'
end
local entries, writes, from = {}, 0, ARGV[1]
-- How many entries are fetched at once: about as many as are needed, if they are like the last one.
local size = 2
repeat
  local page = redis.call(command, KEYS[1], from, to, 'COUNT', size)
  local is_last, count = #page < size, 1
  for _, entry in ipairs(page) do
    if writes >= wanted then
      break
    end
    count = weigh(entry)
    local passed = math.max(acknowledged_of(entry, count, through), acknowledged_of(entry, count, after))
    writes = writes + count - passed
    entries[#entries + 1] = entry
    from = '(' .. entry[1]
  end
  size = math.max(1, math.min(math.ceil((wanted - writes) / count), 64))
until is_last or writes >= wanted
return {redis.call('EXISTS', KEYS[1], KEYS[3]), string.format('%.0f', through), entries}
