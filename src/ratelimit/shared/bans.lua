-- Bans that machines share: see src/REFERENCE.md, "More than one machine".
--
--   EVALSHA sha 2  feed ban  who void ...
--
-- tells of a key: `who` is the head of a record, and what began more than
-- `void` ms ago is none (0: all counts).  Behind these, numbers:
--
--   window after           a refusal, which counts for a window and up to a
--                          16th of it longer
--   age left memory level  a ban that began `age` ms ago, lasts for `left`
--                          more and is remembered for `memory`
--   memory                 it is lifted, which is remembered
--
-- Answers
--   I1 1: so many refusals begin a ban, which the machine is to tell | I6
--   Redis's time | what is known: a record, or nothing
--
--   EVALSHA sha 1  feed  epoch version
--
-- tells what has changed since.  Answers
--   I6 Redis's time | c8 epoch | I7 version | records, 256 at most
--
-- A refusal is told once or not at all, so that none counts twice.  A ban
-- that is told again is the one that is there.
--
-- record  c8 c8 the key | c8 the policy | I6 since | I6 until, 0: it is
--         lifted | I6 remembered until | I1 level
-- ban     I6 when it was lifted | I6 when a machine was told to begin one |
--         I5 window | I7 its newest 16th | c17 refusals in each, newest first |
--         the record, or nothing
-- feed    a sorted set of the records by version; the first member is the
--         epoch, which is new where the feed is: then all machines tell what
--         they know, and read all there is
--
-- Whoever adds a record looks at the two oldest ones: those that nobody
-- remembers go, the others move to the end.  So the feed has about as many as
-- there are bans.
local HEAD, RECORD, ZEROS = '<I6I6I5I7c17', '<I6I6I6B', string.rep('\0', 17)
local SAME, CLAIM, DAY = 500, 1000, 86400000
local pack_, unpack_, sub = struct.pack, struct.unpack, string.sub
local floor, max = math.floor, math.max
local call = redis.call

local t = call('TIME')
local now = t[1] * 1000 + floor(t[2] / 1000)
local feed = KEYS[1]

local function epoch()
  local first = call('ZRANGE', feed, 0, 0)[1]
  if not first then
    first = pack_('<I6I2', now, t[2] % 1000)
    call('ZADD', feed, 0, first)
    call('PEXPIRE', feed, DAY)
  end
  return first
end

if #KEYS == 1 then
  local name, version = epoch(), ARGV[2]
  if name ~= ARGV[1] then version = '0' end
  local found = call('ZRANGE', feed, '(' .. version, '+inf', 'BYSCORE',
                     'LIMIT', 0, 256, 'WITHSCORES')
  local records = {}
  for i = 1, #found, 2 do
    records[#records + 1] = found[i]
    version = found[i + 1]
  end
  return pack_('<I6c8I7', now, name, tonumber(version))
         .. table.concat(records)
end

local who, void = ARGV[1], tonumber(ARGV[2])
local lifted, claimed, window, slot, counts, stored = 0, 0, 0, 0, ZEROS, ''
local since, till, memory, ttl = 0, 0, 0, 1
local state = call('GET', KEYS[2])
if state then
  lifted, claimed, window, slot, counts = unpack_(HEAD, state)
  stored = sub(state, 42)
end
local known = stored
if known ~= '' then since, till, memory = unpack_(RECORD, known, 25) end
if void > 0 and since < now - void then known, till = '', 0 end

local function publish(record)
  epoch()
  local version = tonumber(call('ZRANGE', feed, -1, -1, 'WITHSCORES')[2])
  if stored ~= '' then call('ZREM', feed, stored) end
  for _, other in ipairs(call('ZRANGE', feed, 1, 2)) do
    local _, _, other_memory = unpack_(RECORD, other, 25)
    if other_memory <= now then
      call('ZREM', feed, other)
    else
      version = version + 1
      call('ZADD', feed, version, other)
    end
  end
  call('ZADD', feed, version + 1, record)
  call('PEXPIRE', feed, memory - now, 'GT')
  claimed, counts, known, stored = 0, ZEROS, record, record
end

-- Of a clock that was set back a little the newest 16th goes on.
local function count(after)
  local at = floor(16 * now / window)
  local gone = at - slot
  if gone == -1 then at, gone = slot, 0 end
  if gone < 0 or gone > 16 then gone = 17 end
  counts = string.rep('\0', gone) .. sub(counts, 1, 17 - gone)
  slot = at
  local newest, sum = counts:byte(1), 0
  if newest < 255 then counts = string.char(newest + 1) .. sub(counts, 2) end
  for i = 1, 17 do sum = sum + counts:byte(i) end
  ttl = floor(window * 17 / 16) + 1
  return sum >= after
end

local begins = 0
if #ARGV == 4 then
  if till <= now then
    if tonumber(ARGV[3]) ~= window then
      window, counts = tonumber(ARGV[3]), ZEROS
    end
    if count(tonumber(ARGV[4])) and math.abs(now - claimed) >= CLAIM then
      begins, claimed = 1, now
    end
  end
elseif #ARGV == 6 then
  local began, ends = now - ARGV[3], now + ARGV[4]
  if began > lifted and ends > till + SAME then
    memory = now + ARGV[5]
    publish(who .. pack_(RECORD, began, ends, memory, ARGV[6]))
  end
else
  lifted = now
  memory = max(memory, now + ARGV[3])
  if stored ~= '' then who = sub(stored, 1, 24) end
  publish(who .. pack_(RECORD, now, 0, memory, 0))
end

state = pack_(HEAD, lifted, claimed, window, slot, counts) .. stored
call('SET', KEYS[2], state, 'PX', max(ttl, memory - now))
return pack_('<BI6', begins, now) .. known
