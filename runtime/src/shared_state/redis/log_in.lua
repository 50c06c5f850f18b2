-- An attempt to log in, counted before its password is checked.
-- KEYS: attempts at the account, attempts at it from this network, which exists if the account knows the network.
-- ARGV: attempts without a wait, ms of the first wait, ms of the longest, ms until attempts are forgotten.
-- Returns 0, or the ms until the next attempt.
local now = millis()
local at_once, first, longest, forgotten = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local known = redis.call('EXISTS', KEYS[2]) == 1
local key = known and KEYS[2] or KEYS[1]
local wait = (tonumber(redis.call('HGET', key, 'due')) or 0) - now
-- After a fail-over to a server whose clock is behind, a wait may seem longer than any: it is over.
if wait > 0 and wait <= longest then
  return wait
end
local attempts = tonumber(redis.call('HGET', key, 'attempts')) or 0
local last = tonumber(redis.call('HGET', key, 'last')) or now
if now - last > forgotten then
  attempts = 0
end
attempts = attempts + 1
wait = 0
if attempts >= at_once then
  wait = math.min(first * 2 ^ (attempts - at_once), longest)
end
redis.call('HSET', key, 'attempts', attempts, 'last', now, 'due', now + wait)
if not known then
  redis.call('PEXPIRE', key, forgotten)
end
return 0
