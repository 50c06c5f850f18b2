-- KEYS: state, due.  ARGV: most users, life ms, prefix of a person's key.
-- Answers, flat, who went offline: user, version, ms of the last beat.
local now, run_id = millis(), run()
local state = redis.call('HMGET', KEYS[1], 'run', 'since', 'ttl', 'swept')
local since, ttl, swept = tonumber(state[2]), tonumber(state[3]), tonumber(state[4])

-- Another run may have come up with old deadlines. A pause of half a ttl may have kept beats from arriving:
-- they come every third of it.
if state[1] ~= run_id or not since or (ttl and swept and now - swept > ttl / 2) then
  since = now
end
redis.call('HSET', KEYS[1], 'run', run_id, 'since', since, 'swept', now)
if not ttl or now < since + ttl then
  return {}
end

local gone = {}
local due = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[1])
for d = 1, #due, 2 do
  local user, person = due[d], ARGV[3] .. due[d]
  local known = redis.call('HMGET', person, 'version', 'seen')
  local version = math.max((tonumber(known[1]) or 0) + 1, now)
  local seen = tonumber(known[2]) or tonumber(due[d + 1]) - ttl
  redis.call('ZREM', KEYS[2], user)
  redis.call('DEL', person)
  redis.call('HSET', person, 'version', version, 'seen', seen)
  redis.call('PEXPIRE', person, ARGV[2])
  gone[#gone + 1] = user
  gone[#gone + 1] = version
  gone[#gone + 1] = seen
end
return gone
