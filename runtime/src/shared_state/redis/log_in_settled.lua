-- An attempt that was not a wrong password is taken back.
-- KEYS: as in log_in.lua.  ARGV: how it ended, ms that the account knows the network from then on.
if ARGV[1] == 'unneeded' then
  -- What was counted of the network stays.
  redis.call('HSETNX', KEYS[2], 'attempts', 0)
  redis.call('HSETNX', KEYS[2], 'due', 0)
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
  return 0
end
local key = redis.call('EXISTS', KEYS[2]) == 1 and KEYS[2] or KEYS[1]
local attempts = tonumber(redis.call('HGET', key, 'attempts')) or 0
if attempts > 0 then
  redis.call('HSET', key, 'attempts', attempts - 1, 'due', 0)
end
if ARGV[1] == 'succeeded' then
  redis.call('HSET', KEYS[2], 'attempts', 0, 'due', 0)
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
end
return 0
