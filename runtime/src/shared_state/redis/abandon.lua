-- KEYS: the key's record.  ARGV: bytes of a record without a receipt.
-- An attempt that outlived its claim must not free the key of the one that succeeded.
if redis.call('STRLEN', KEYS[1]) == tonumber(ARGV[1]) then
  redis.call('DEL', KEYS[1])
end
