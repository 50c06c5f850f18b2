-- Stands before every script that needs it. One clock for all: that of Redis, never an edge's.
local function micros()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local function millis()
  return math.floor(micros() / 1000)
end

-- Changes with every start of Redis, and with a fail-over to another server.
local function run()
  return string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
end
