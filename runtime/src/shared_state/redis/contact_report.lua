-- KEYS: contact.  ARGV: node, ttl ms.
local now, ttl = millis(), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
-- Left by a server whose clock was ahead, before a fail-over to this one.
redis.call('ZREMRANGEBYSCORE', KEYS[1], now + ttl + 1, '+inf')
redis.call('ZADD', KEYS[1], now + ttl, ARGV[1])
redis.call('PEXPIRE', KEYS[1], ttl)
