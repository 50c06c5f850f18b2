-- Prepended to every script that needs it. One clock for all: that of Redis, never an edge's.
local function micros()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local function millis()
  return math.floor(micros() / 1000)
end
