-- Registers a process as alive, and exchanges the binding. The first time in a run of the
-- server, the process also testifies whether the server has all its answers to the process.
-- KEYS: binding, served, witnesses, the runs of a shard, then journal and dead letters of each shard
-- of an older version. ARGV: the binding expected, the one to put, process, its place, lifetime of
-- the registration in ms, '1' if no process may serve another place or '2' if none may serve any, the run of the server, then '' or the testimony: '1' if all versions are
-- there, and until when the process was registered before.
-- Returns until when the process is registered, '' if the binding is another one, such a
-- process is alive, or something waits in a shard of an older version.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return ''
end
for i = 5, #KEYS, 2 do
  if redis.call('XLEN', KEYS[i]) + redis.call('HLEN', KEYS[i + 1]) > 0 then
    return ''
  end
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local before = string.sub(redis.call('HGET', KEYS[2], ARGV[3]) or '', 1, 16)
-- Another program's. Before anything is changed, since the rest would fail.
local kind = redis.call('TYPE', KEYS[3]).ok
if kind ~= 'hash' and kind ~= 'none' then
  redis.call('DEL', KEYS[3])
end
-- First, since a server that is out of memory takes it, and the rest with it.
redis.call('HDEL', KEYS[2], ARGV[3])
-- Until a restarted server is used, dead processes count as well: they cannot testify.
local is_used = string.match(redis.call('MGET', KEYS[4])[1] or '', '^(%S+)%.%d+') == ARGV[7]
local served = redis.call('HGETALL', KEYS[2])
for i = 1, #served, 2 do
  if (tonumber(string.sub(served[i + 1], 1, 16)) or 0) <= now then
    if is_used then
      redis.call('HDEL', KEYS[2], served[i])
    end
  elseif ARGV[6] == '2' or ARGV[6] == '1' and string.sub(served[i + 1], 17) ~= ARGV[4] then
    return ''
  end
end
if ARGV[8] ~= '' then
  if redis.call('HGET', KEYS[3], 'run') ~= ARGV[7] then
    redis.call('DEL', KEYS[3])
    redis.call('HSET', KEYS[3], 'run', ARGV[7], 'since', now)
  end
  -- Both have the same number of digits, so they compare as texts.
  local has_all = ARGV[8] == '1' and ARGV[9] ~= '' and before >= ARGV[9]
  redis.call('HSETNX', KEYS[3], 'process ' .. ARGV[3], has_all and '1' or '0')
end
if ARGV[1] ~= ARGV[2] then
  redis.call('SET', KEYS[1], ARGV[2])
end
local till = string.format('%016.0f', now + tonumber(ARGV[5]))
redis.call('HSET', KEYS[2], ARGV[3], till .. ARGV[4])
return till
