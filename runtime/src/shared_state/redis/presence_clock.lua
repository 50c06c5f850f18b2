-- Prepended to the scripts of presence, behind clock.lua. Deadlines are compared with a time that never falls: when
-- the clock of this server was set back, or another one took over whose clock is behind, it goes on from where it was.
local function presence_now(state)
  local known = redis.call('HMGET', state, 'last', 'shift')
  local last, shift = tonumber(known[1]), tonumber(known[2]) or 0
  local now = millis() + shift
  if last and now < last then
    redis.call('HSET', state, 'shift', shift + last - now)
    now = last
  end
  redis.call('HSET', state, 'last', now)
  return now
end

-- Versions are counted, over all users. seen: the highest that the caller knows; a state that has forgotten how far it
-- had counted goes on above what is known anywhere. The clock only says where a first one begins.
local function version_above(state, seen, count)
  local version = tonumber(redis.call('HGET', state, 'version')) or millis()
  version = math.max(version, tonumber(seen)) + count
  redis.call('HSET', state, 'version', version)
  return version
end
