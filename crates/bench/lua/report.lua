-- What every load script shares: arguments, numbered threads, and one line of figures at the end.
--
--   wrk … -s SCRIPT URL -- RUN METHOD_AND_PATH
--
-- RUN is a text that no other run of wrk has.

local threads = 0

function setup(thread)
  thread:set("thread_number", threads)
  threads = threads + 1
end

function run_and_target(arguments)
  return arguments[1], arguments[2]
end

function head_of_json(target)
  return target .. " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
end

-- In the order that load.rs reads them; times in microseconds.
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    "FIGURES %d %d %d %d %d %d %d\n",
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)
  ))
end
