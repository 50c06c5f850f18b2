-- Token bucket as one number (GCRA): the time at which the bucket will be full again.
-- KEYS: token bucket.  ARGV: µs per token, tokens of a full bucket, tokens to take.
-- Returns tokens left and 0, or -1 and the µs until there are enough tokens.
local now, interval, burst, tokens = micros(), tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full = math.max(tonumber(redis.call('GET', KEYS[1])) or now, now)
-- After a fail-over to a server whose clock is behind, no caller waits longer than for an empty bucket.
full = math.min(full, now + interval * burst)
local wait = full - now - interval * (burst - tokens)
if wait > 0 then
  return { -1, wait }
end
full = full + interval * tokens
redis.call('SET', KEYS[1], full, 'PX', math.ceil((full - now) / 1000))
return { math.floor((interval * burst - (full - now)) / interval), 0 }
