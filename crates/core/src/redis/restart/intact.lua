-- Whether a restarted server still has all its answers to all processes.
-- KEYS: served, witnesses. ARGV: run of the server, how long in ms processes have to register.
-- Returns '' if it has, else the reason why that is not known.
if redis.call('HGET', KEYS[2], 'run') ~= ARGV[1] then
  return 'no process has registered there yet'
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if now < tonumber(redis.call('HGET', KEYS[2], 'since')) + tonumber(ARGV[2]) then
  return 'other processes may not have registered there yet'
end
for _, process in ipairs(redis.call('HKEYS', KEYS[1])) do
  if redis.call('HGET', KEYS[2], 'process ' .. process) ~= '1' then
    return 'a process that used it does not confirm that all is there'
  end
end
return ''
