-- KEYS: state, due.  ARGV: highest version seen, most users, life ms, prefix of a user's key.
-- Returns, flat, who went offline: user, version, ms of the last heartbeat.
local now = presence_now(KEYS[1])
local state = redis.call('HMGET', KEYS[1], 'since', 'ttl', 'swept')
local since, ttl = tonumber(state[1]) or now, tonumber(state[2])
local swept = tonumber(state[3]) or since

-- What kept sweeps away may have kept heartbeats away too: a restart that finds old deadlines on its disk, a
-- standstill, a network cut, a clock set forward. Heartbeats come every third of a ttl, so less than half of one
-- expires no user.
if ttl and now - swept > ttl / 2 then
  since = now
end
redis.call('HSET', KEYS[1], 'since', since, 'swept', now)
-- Times are cut to whole ms: only one more makes sure that a whole ttl has passed.
if not ttl or now <= since + ttl then
  return {}
end

local gone = {}
local due = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[2])
for d = 1, #due, 2 do
  local user, user_key = due[d], ARGV[4] .. due[d]
  local version = version_above(KEYS[1], ARGV[1], 1)
  local seen = tonumber(redis.call('HGET', user_key, 'seen')) or tonumber(due[d + 1]) - ttl
  redis.call('ZREM', KEYS[2], user)
  redis.call('DEL', user_key)
  redis.call('HSET', user_key, 'version', version, 'seen', seen)
  redis.call('PEXPIRE', user_key, ARGV[3])
  gone[#gone + 1] = user
  gone[#gone + 1] = version
  gone[#gone + 1] = seen
end
return gone
