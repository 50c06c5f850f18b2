-- KEYS: state, due, then each beat's person.  ARGV: ttl ms, life ms, then each beat's user and session.
-- Answers, flat, who came online: user, version, ms of the beat.
local now, ttl = millis(), tonumber(ARGV[1])
redis.call('HSETNX', KEYS[1], 'since', now)
redis.call('HSET', KEYS[1], 'ttl', ttl)

-- Sessions that died while another one kept the user online. What expired within the last ttl may yet beat.
local function prune(person)
  local fields = redis.call('HGETALL', person)
  for f = 1, #fields, 2 do
    if string.sub(fields[f], 1, 2) == 's:' and tonumber(fields[f + 1]) < now - ttl then
      redis.call('HDEL', person, fields[f])
    end
  end
end

local came = {}
for k = 3, #KEYS do
  local person, user, session = KEYS[k], ARGV[2 * k - 3], ARGV[2 * k - 2]
  if redis.call('HSET', person, 's:' .. session, now + ttl) == 1 then
    prune(person)
  end
  redis.call('HSET', person, 'seen', now)
  if redis.call('ZADD', KEYS[2], 'GT', now + ttl, user) == 1 then
    local version = math.max((tonumber(redis.call('HGET', person, 'version')) or 0) + 1, now)
    redis.call('HSET', person, 'version', version)
    came[#came + 1] = user
    came[#came + 1] = version
    came[#came + 1] = now
  end
  redis.call('PEXPIRE', person, ARGV[2])
end
return came
