-- Reads of 10,000 names at random.
dofile("crates/bench/lua/report.lua")

local names = 10000 -- NAMES in reads.rs
local random = math.random
local requests = {}

function init(arguments)
  local _, target = run_and_target(arguments)
  for number = 0, names - 1 do
    requests[number] = string.format("%s%05d HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", target, number)
  end
  math.randomseed(os.time() + 7919 * thread_number)
end

function request()
  return requests[random(0, names - 1)]
end
