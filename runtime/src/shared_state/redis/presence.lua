-- KEYS: state, due, then each user's key.  ARGV: highest version seen, then the users.
-- Returns, flat, for each user: online (1 or 0), ms last seen (-1: unknown), version.
local now = presence_now(KEYS[1])
local state = redis.call('HMGET', KEYS[1], 'since', 'ttl')
local unknown = 0
if (tonumber(state[1]) or now) + (tonumber(state[2]) or 0) < now then
  -- As high as any that was given out or seen: whoever is online now would have sent a heartbeat since.
  unknown = version_above(KEYS[1], ARGV[1], 0)
end
local answer = {}
for u = 2, #ARGV do
  local known = redis.call('HMGET', KEYS[u + 1], 'seen', 'version')
  answer[#answer + 1] = redis.call('ZSCORE', KEYS[2], ARGV[u]) and 1 or 0
  answer[#answer + 1] = tonumber(known[1]) or -1
  answer[#answer + 1] = tonumber(known[2]) or unknown
end
return answer
