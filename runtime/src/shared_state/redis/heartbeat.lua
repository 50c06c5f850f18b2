-- KEYS: state, due, then each heartbeat's user key.
-- ARGV: highest version seen, ttl ms, life ms, then each heartbeat's user and session.
-- Returns, flat, who came online: user, version, ms of the heartbeat.
local now, ttl = presence_now(KEYS[1]), tonumber(ARGV[2])
redis.call('HSETNX', KEYS[1], 'since', now)
redis.call('HSET', KEYS[1], 'ttl', ttl)

-- Sessions that died while another one kept the user online. What expired within the last ttl may yet send a heartbeat.
local function prune(user_key)
  local fields = redis.call('HGETALL', user_key)
  for f = 1, #fields, 2 do
    if string.sub(fields[f], 1, 2) == 's:' and tonumber(fields[f + 1]) < now - ttl then
      redis.call('HDEL', user_key, fields[f])
    end
  end
end

local online, seen = {}, millis()
for k = 3, #KEYS do
  local user_key, user, session = KEYS[k], ARGV[2 * k - 2], ARGV[2 * k - 1]
  if redis.call('HSET', user_key, 's:' .. session, now + ttl) == 1 then
    prune(user_key)
  end
  redis.call('HSET', user_key, 'seen', seen)
  if redis.call('ZADD', KEYS[2], 'GT', now + ttl, user) == 1 then
    local version = version_above(KEYS[1], ARGV[1], 1)
    redis.call('HSET', user_key, 'version', version)
    online[#online + 1] = user
    online[#online + 1] = version
    online[#online + 1] = seen
  end
  redis.call('PEXPIRE', user_key, ARGV[3])
end
return online
