-- Writes of names that were never written before.
dofile("crates/bench/lua/report.lua")

local head, prefix
local count = 0

function init(arguments)
  local run, target = run_and_target(arguments)
  head = head_of_json(target)
  prefix = '{"name":"user-' .. run .. "-" .. thread_number .. "-"
end

function request()
  count = count + 1
  local body = prefix .. count .. '","age":' .. count % 100 .. ',"occupation":"Engineer"}'
  return head .. #body .. "\r\n\r\n" .. body
end
