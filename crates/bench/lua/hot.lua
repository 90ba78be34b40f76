-- Writes of 1,000 names at random, each with a value that no other write has.
dofile("crates/bench/lua/report.lua")

local names = 1000 -- HOT_NAMES in writes.rs
local random = math.random
local head, suffix
local count = 0

function init(arguments)
  local run, target = run_and_target(arguments)
  head = head_of_json(target)
  suffix = "-" .. run .. "-" .. thread_number .. '"}'
  math.randomseed(os.time() + 7919 * thread_number)
end

function request()
  count = count + 1
  local body = '{"name":"hot-' .. random(0, names - 1) .. '","age":' .. count % 100
    .. ',"occupation":"Engineer ' .. count .. suffix
  return head .. #body .. "\r\n\r\n" .. body
end
