-- KEYS: the key's record.  ARGV: fingerprint, life of an attempt in ms.
-- Returns the record that was there; without one this attempt holds the key.
local record = redis.call('GET', KEYS[1])
if not record then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return record
