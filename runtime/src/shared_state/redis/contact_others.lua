-- KEYS: contact.  ARGV: node.
-- Returns how many other nodes have a report that has not ended.
local now = millis()
local all = redis.call('ZCOUNT', KEYS[1], now + 1, '+inf')
local own = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0)
return own > now and all - 1 or all
