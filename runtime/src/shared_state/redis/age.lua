-- KEYS: born.  Answers for how many ms nothing can have been forgotten.
-- A restart or fail-over, which changes the run id, counts as a new state even with a disk or a replica behind it:
-- what was written last may be missing.
local now = millis()
local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local born = redis.call('HMGET', KEYS[1], 'run', 'at')
if born[1] ~= run_id or not born[2] then
  redis.call('HSET', KEYS[1], 'run', run_id, 'at', now)
  return 0
end
return now - born[2]
