-- KEYS: state, due, user_key.  ARGV: highest version seen, user, session, life ms.
-- Returns version and ms when the user went offline by it, otherwise nothing.
local user_key = KEYS[3]
if redis.call('HDEL', user_key, 's:' .. ARGV[3]) == 0 then
  return {}
end
local now = millis()
local latest = nil
local fields = redis.call('HGETALL', user_key)
for f = 1, #fields, 2 do
  if string.sub(fields[f], 1, 2) == 's:' then
    latest = math.max(latest or 0, tonumber(fields[f + 1]))
  end
end
redis.call('HSET', user_key, 'seen', now)
redis.call('PEXPIRE', user_key, ARGV[4])
if latest then
  -- Maybe past already: then the next sweep ends it, which knows whether expiry is held back.
  redis.call('ZADD', KEYS[2], 'XX', latest, ARGV[2])
  return {}
end
if redis.call('ZREM', KEYS[2], ARGV[2]) == 0 then
  return {}
end
local version = version_above(KEYS[1], ARGV[1], 1)
redis.call('HSET', user_key, 'version', version)
return { version, now }
