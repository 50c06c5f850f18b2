-- KEYS: state, due, then each user's key.  ARGV: the users.
-- Returns, flat, for each user: online (1 or 0), ms last seen (-1: unknown), version.
local now = millis()
local state = redis.call('HMGET', KEYS[1], 'since', 'ttl')
local unknown = (tonumber(state[1]) or now) + (tonumber(state[2]) or 0)
if unknown >= now then
  unknown = 0
end
local answer = {}
for u = 1, #ARGV do
  local known = redis.call('HMGET', KEYS[u + 2], 'seen', 'version')
  answer[#answer + 1] = redis.call('ZSCORE', KEYS[2], ARGV[u]) and 1 or 0
  answer[#answer + 1] = tonumber(known[1]) or -1
  answer[#answer + 1] = tonumber(known[2]) or unknown
end
return answer
