-- One bucket of one policy, shared by several machines: see src/REFERENCE.md, "More
-- than one machine", for what it promises.  Redis 7.0 or newer, Valkey.
--
--   EVALSHA sha 2n  bucket generation ...  request ttl_ms ...
--
-- n buckets in one call, each with the generation of its shard (in a cluster
-- all of one hash tag); answers one string of n replies.  And
--
--   EVALSHA sha 1  generation  name hold
--
-- tells of a shard alone: makes its generation, called `name`, if it has none,
-- and with hold=1 keeps it from opening for a second more.  Answers
--   I6 ms until it opens, 0: it is open | I6 Redis's time | c8 its name
--
--   EVALSHA sha 1  machines  id
--
-- counts the machines that have said so within 15 s, with this one.
--
-- A bucket is named after policy, algorithm, window and key: where one of
-- these changes it is another bucket.  The quota may change at any time.
--
-- generation: I6 time from which units are given | c8 name.  Whoever finds
-- none makes it, to open a second later, so that all can first tell what
-- they have used.  A telling moves the time on.
--
-- reset: a policy's resets are known by when they are over, which is when
-- nothing from before them could count any more; a later one is over later.
-- Each request says which one its row knows of.  A bucket begins anew with the
-- first that knows of a later one than it did; who knows of none so late is
-- told, and goes on as another row.  That it is over says the clock of the
-- bucket's server, so that for all machines it is over at once.
--
-- Units have 7 bytes; counts end at 2^53 - 1, up to which Lua's numbers are exact.
--
-- bucket: head, ring (sliding only), rows of 36 bytes.  All little-endian.
--   head  I1 algorithm * 16 + width of the ring's counts | I6 time of the last
--         request, ms | I7 used | I7 held by all rows | I6 when a row changes
--         by itself, at the earliest | I4 sum of the rows' wants | I1 rows that
--         are active | I6 twice the reset it knows of, and 1 while the shard
--         is not known to be open |
--         fixed, calendar: I6 the window's end, 0: none | gcra: d how long
--         the debt lasts from then on, ms (used: see the assertion)
--   ring  17 counts of window/16 each, I2 (quota <= 65535), I4 (quota <=
--         999999999) or I7; the count of sub-window s stands at s % 17
--   row   c8 id | I4 number of its last request | I7 used so far, as it said,
--         modulo 2^52 | I7 held | I6 until when | I3 want | I1 0: the lease runs, 1: it is
--         over and what it held is charged
-- request, 113 bytes:
--   c8 row | I4 number | I1 algorithm 0 sliding 1 fixed 2 calendar 3 gcra |
--   I5 window ms | I7 quota | I7 capacity (gcra) | I7 need: units that the
--   first waits for | I7 waits: all that wait | I3 want: with what the lease
--   will use, if that many | I7 keep | I7 used so far, modulo 2^52 | I5 age of the newest use, ms |
--   I4 longest lease, ms | I2 shortest lease of use, ms |
--   I1 flags: 1 first request under this row, 2 it tells all (assertion),
--   4 Redis's clock was set forward since its last request for this bucket: the
--   next field goes by the old reckoning, 8 last request under this row, 16 it
--   takes units back |
--   I6 what Redis's clock can show now at the latest, as the machine reckons
--   (0: cannot tell) | I2 slack for that, ms |
--   I6 window's end that it counts in (fixed, calendar) | I6 reset |
--   I6 I6 I6 calendar: start, end, next end around the present
-- assertion, behind it: 17 x I7, its own uses by age in sixteenths of the
--   window, youngest first (sliding); nothing (fixed, calendar); d debt in ms
--   when last told, its age subtracted, I7 used since (gcra)
-- taken back, behind it: I7 units | I5 ms since the oldest of their uses, at the
--   most; never beside an assertion
-- reply, 64 bytes:
--   i1 status: 1 done, 0 done but young (nothing is given yet), -1 older than
--   what is here, -2 tell all, -3 no such window now, -4 late, or Redis's clock
--   was set, -5 of before a reset, which stands for the ms until units come | I7 granted | I4 lease, ms | i7 free | I7 held by others |
--   I6 Redis's time | I6 ms until units come | I6 ms until a lease of others
--   may end | I6 ms until the window or the debt ends | I6 the window's end |
--   c8 the generation's name if the bucket is new here, else zeros
-- Times of leases are spans: the machine counts them from before it sent, less
-- a thousandth.  It needs no common clock.
--
-- Redis runs all of this anew in each call, so that each function, table and
-- captured local that is made on the way costs the usual request, too.
local REPLY = '<bI7I4i7I7I6I6I6I6I6c8'
local NO_NAME = '\0\0\0\0\0\0\0\0'
local unpack_, pack_, floor, call = struct.unpack, struct.pack, math.floor, redis.call

local t = call('TIME')
local clock = t[1] * 1000 + floor(t[2] / 1000)

-- What a shard tells; `hold` keeps one that is not open yet from opening.
local function generation(gkey, name, now, hold)
  local GRACE = 1000
  local gen = call('GET', gkey)
  if not gen then
    -- Redis is new or has lost everything: all had better speak before anything
    -- is given.  (Whoever comes first may be a machine that has just started
    -- and knows of nothing, so this does not depend on what it knows.)
    gen = pack_('<I6', now + GRACE) .. name
    call('SET', gkey, gen)
  end
  local opens = unpack_('<I6', gen)
  if hold and opens > now and opens < now + GRACE - 100 then
    opens = now + GRACE
    gen = pack_('<I6', opens) .. gen:sub(7, 14)
    call('SET', gkey, gen)
  end
  return gen, opens
end

-- The whole of the rules.  The usual request takes the short way below, which does the same for the case that nothing
-- has ended by itself and the row is there.
local function slow(key, gkey, req, ttl, v)
  local REQ = '<c8I4BI5I7I7I7I7I3I7I7I5I4I2BI6I2I6I6I6I6I6'
  local ROW = '<c8I4I7I7I6I3B'
  local WRAPS, MOST = 2 ^ 52, 2 ^ 53 - 1
  local SLOTS = { [2] = '<' .. string.rep('I2', 17), [4] = '<' .. string.rep('I4', 17), [7] = '<' .. string.rep('I7', 17) }
  local SLOT = { [2] = '<I2', [4] = '<I4', [7] = '<I7' }
  local FULL = { [2] = 65535, [4] = 4294967295, [7] = MOST }
  local sub, find, min, max = string.sub, string.find, math.min, math.max
  local function refuse(status, wait, gen)
    return pack_(REPLY, status, 0, 0, 0, 0, clock, wait, 0, 0, 0, gen and sub(gen, 7, 14) or NO_NAME)
  end
  local id, seq, alg, W, Q, cap, need, waits, want, keep, U, age, life, least, flags, est, slack, win, reset, cs, ce, cn = unpack_(REQ, req)
  local now = clock
  local back, back_age = 0, 0
  if flags >= 16 then
    back, back_age = unpack_('<I7I5', req, 114)
    flags = flags - 16
  end
  local ends = flags >= 8
  if ends then flags = flags - 8 end
  -- A request that comes later than its sender's clock allows is late, or the first after Redis's clock was set forward: it
  -- changes nothing; the sender looks at the time told and asks again.
  if est > 0 and clock > est + slack and flags < 4 then return refuse(-4, 0) end
  if waits > want then want = waits end
  local width = alg == 0 and Q > 65535 and (Q > 999999999 and 7 or 4) or 2
  local kind = alg * 16 + width
  local last, used, held, nxt, sumw, act, nb, z, ring, rows
  local gen, opens, known = false, 0, 0
  if v then
    local k
    if alg == 0 then
      k, last, used, held, nxt, sumw, act, nb = unpack_('<BI6I7I7I6I4BI6', v)
      z = 0
    elseif alg == 3 then k, last, used, held, nxt, sumw, act, nb, z = unpack_('<BI6I7I7I6I4BI6d', v)
    else k, last, used, held, nxt, sumw, act, nb, z = unpack_('<BI6I7I7I6I4BI6I6', v) end
    if k ~= kind then
      if k - k % 16 ~= kind - kind % 16 then v = false                      -- another algorithm: the policy starts afresh
      else                                                                  -- the quota crossed a bound: other width
        local c = { unpack_(SLOTS[k % 16], v, 39) }
        used = 0
        for i = 1, 17 do c[i] = min(c[i], FULL[width]); used = used + c[i] end
        v = sub(v, 1, 38) .. pack_(SLOTS[width], unpack(c, 1, 17)) .. sub(v, 39 + 17 * (k % 16))
      end
    end
    known = floor(nb / 2)
    nb = nb % 2
    if reset > known and clock < reset then v = false
    elseif reset < known and clock < known then return refuse(-5, known) end
  end
  known = max(known, reset)
  if not v then
    last, used, held, nxt, sumw, act, nb, z = now, 0, 0, 2 ^ 47, 0, 0, 0, 0
    nb = 1
    rows = ''
  end
  if nb > 0 then                                                            -- not known to be open yet
    gen, opens = generation(gkey, id, now, flags % 4 >= 2)
    if now >= opens then nb = 0 end
  end
  local HEAD = alg == 0 and 38 or alg == 3 and 46 or 44
  local RB = alg == 0 and HEAD + 17 * width or HEAD                         -- rows begin after this byte
  -- Time never runs backwards in a bucket.  If Redis's clock was set, everything here keeps its age: `by` is added to every
  -- date.  Back: seen from the bucket's last request, if by more than two leases.  Forward: only where the machine knows it
  -- (flag 4), and once: after that the bucket's last request is beyond any old reckoning.
  local by, ref = 0, 0
  if now < last then
    if last - now > 2 * life then ref = last else now = last end
  elseif v and flags >= 4 and (alg == 0 or alg == 3) and est > 0 and now > est + slack and last <= est + slack then ref = max(est, last) end
  if ref > 0 then by = now - ref end
  local j, jl
  if alg == 0 then
    j, jl = floor(16 * now / W), floor(16 * last / W)
  end
  local c                                                                   -- the ring as a table, when it is needed
  local p1, n1                                                              -- or the one count that changes
  local function open_ring()
    if not c then
      c = v and { unpack_(SLOTS[width], v, 39) } or { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
      c[18] = nil
      if p1 then c[p1] = n1; p1 = nil end
    end
  end
  if alg == 0 and v and (j ~= jl or by ~= 0) then
    if by ~= 0 then                                                         -- move every count to the slot of its age
      open_ring()
      local jr, k = floor(16 * ref / W), math.ceil(16 * by / W)
      local m = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
      used = 0
      for i = 0, 16 do
        local s = jr - i
        local to = min(j, s + k)
        if s <= jl and s > jl - 17 and to > j - 17 then
          local n = c[s % 17 + 1]
          m[to % 17 + 1] = m[to % 17 + 1] + n
          used = used + n
        end
      end
      c = m
    elseif j - jl >= 17 then open_ring(); for i = 1, 17 do c[i] = 0 end; used = 0
    elseif j - jl == 1 then
      p1 = j % 17 + 1
      n1 = 0
      used = used - unpack_(SLOT[width], v, 39 + (p1 - 1) * width)
    else
      open_ring()
      for i = jl + 1, j do local p = i % 17 + 1; used = used - c[p]; c[p] = 0 end
    end
  end
  -- the window
  if alg == 1 or alg == 2 then
    if by ~= 0 and z > 0 and (alg == 1 or z - now > cn - cs) then            -- the wall clock has the last word on a calendar
      z = alg == 1 and z + by or now < ce and ce or cn
      used, held, rows = used + held, 0, ''                                 -- what is held counts as used
    end
    local over = z > 0 and now >= z
    if alg == 2 and (z == 0 or over) then
      local e = now < ce and ce or cn
      if now < cs or now >= cn then return refuse(-3, 0) end
      if z ~= e then over = true end
      z = e
    elseif over then z = 0 end
    if over then used, held, nxt, sumw, act = 0, 0, 2 ^ 47, 0, 0; rows = '' end  -- rows of an ended window say nothing
  elseif alg == 3 then z = z + last - (ref > 0 and ref or now) end          -- from now on, so that small debts are not rounded
  rows = rows or sub(v, RB + 1)
  local unit = W / Q                                                        -- gcra: ms a unit
  local function charge(n, date)
    if alg ~= 3 then n = min(n, MOST - used) end
    if n <= 0 then return end
    if alg == 0 then
      local s = floor(16 * date / W)
      if s > j then s = j end
      if s <= j - 17 then return end
      used = used + n
      local p = s % 17 + 1
      if not c then
        if p1 == p then n1 = n1 + n; return end
        if not p1 and v then p1 = p; n1 = n + unpack_(SLOT[width], v, 39 + (p - 1) * width); return end
        open_ring()
      end
      c[p] = c[p] + n
    elseif alg == 3 then z = max(z, date - now) + n * unit
    else used = used + n end
  end
  local function uncharge(n, date)
    if n <= 0 then return end
    if alg == 0 then
      local s = floor(16 * date / W)
      if s > j or s <= j - 17 then return end
      open_ring()
      local p = s % 17 + 1
      if n > c[p] then n = c[p] end
      c[p] = c[p] - n
      used = used - n
    elseif alg == 3 then z = z - max(0, n * unit - (now - date))
    else used = max(0, used - n) end
  end
  -- Units that were used, at most `old` ms ago, and are taken back. Ring: the oldest counts, which leave no later than theirs
  -- would; debt: less what has drained since.
  local function take_back(n, old)
    if alg == 0 then
      open_ring()
      for s = j - 16, j do
        local p = s % 17 + 1
        local some = min(n, c[p])
        c[p] = c[p] - some
        used = used - some
        n = n - some
      end
    elseif alg == 3 then z = z - max(0, n * unit - old)
    else used = max(0, used - n) end
  end
  -- leases that are over: what they hold is used, as of their end
  if (now >= nxt or by ~= 0) and #rows > 0 then
    local out, n = {}, 0
    nxt, sumw, act = 2 ^ 47, 0, 0
    for o = 1, #rows, 36 do
      local rid, rs, ru, rh, re, rw, rp = unpack_(ROW, rows, o)
      re = re + by
      if now >= re and rp == 0 then
        charge(rh, re)
        held = held - rh
        rp = 1
      end
      if rp == 0 then sumw = sumw + rw; act = act + 1; nxt = min(nxt, re) end
      if rp == 0 or now < re + W + life then                                -- an idle row goes after a window
        n = n + 1
        out[n] = pack_(ROW, rid, rs, ru, rh, re, rw, rp)
        if rp == 1 then nxt = min(nxt, re + W + life) end
      end
    end
    rows = table.concat(out)
  end
  -- the own row
  local at, rs, ru, rh, re, rw, rp = 0, 0, 0, 0, 0, 0, 1
  local o = 1
  while true do                                                             -- plain search; the row's place makes sure
    o = find(rows, id, o, true)
    if not o then break end
    if o % 36 == 1 then at = o; break end
    o = o + 1
  end
  if at > 0 then
    rs, ru, rh, re, rw, rp = unpack_('<I4I7I7I6I3B', rows, at + 8)
    if seq < rs then return refuse(-1, 0) end
    if rp == 0 then sumw = sumw - rw; act = act - 1 end
  elseif flags % 4 >= 2 then                                                -- it tells all
    if alg == 0 then
      local a = { unpack_(SLOTS[7], req, 114) }
      open_ring()
      for i = 0, 16 do
        local n = min(a[i + 1], MOST - used)
        if n > 0 then local p = (j - i) % 17 + 1; c[p] = c[p] + n; used = used + n end
      end
    elseif alg == 3 then
      local d, n = unpack_('<dI7', req, 114)
      local a = used * unit                                                 -- `used`: what others told so; it stays on top of
      z = max(z - a, d) + a + n * unit                                -- whichever debt told is the latest
      used = min(used + n, MOST)
    elseif win > now then
      if z == 0 then z = win end
      used = min(used + U, MOST)
      if z ~= win then used = min(used + keep, MOST) end                               -- it comes too late, another window is open: all counts there
    end
    ru = U
    re = now + life                                                         -- whatever it still holds ends before that
  elseif flags % 2 == 1 then
    -- A shard that is not open takes no row but from those that tell: an old first request that comes late must not stand
    -- where the telling of the same row belongs.
    if nb > 0 then return refuse(0, max(opens - now, 1), gen) end
  elseif nb > 0 or alg == 0 or alg == 3 or (win > now and win ~= z) then      -- unknown row, or a running window unknown here
    return refuse(-2, 0, gen)
  end
  if at > 0 and seq == rs then
    -- the same request again: same state, nothing more is given (its reply was given up, or it was repeated)
    return refuse(-1, 0)
  end
  if (alg == 1 or alg == 2) and (win ~= z or z == 0) then keep = 0; U = 0; ru = 0; back = 0 end   -- counts of another window
  local delta = U - ru
  if delta < 0 then delta = delta + WRAPS end
  if rp == 1 then
    uncharge(rh - min(rh, delta), re)                                       -- paid for at the lease's end; what was not used comes back
    charge(delta - min(rh, delta), now - age)
  else
    charge(delta, now - age)
    held = held - rh
  end
  if back > 0 then take_back(back, back_age) end
  held = held + keep
  -- give
  local free, wait
  if alg == 3 then free = floor(cap - max(0, z) / unit + 1e-9) - held
  else free = Q - used - held end
  local grant = 0
  local mine = want + keep
  if mine > 16777215 then mine = 16777215 end
  if not ends then
    sumw = sumw + mine
    act = act + 1
  end
  local d = floor(life * max(free, 0) / (8 * max(sumw, 1)))                 -- near exhaustion leases are short
  if d < least then d = least end
  if d > life then d = life end
  if nb == 0 and free >= need and (need > 0 or alg ~= 1 or z > 0) then     -- nobody waits: no window is opened
    local share = min(floor(free * mine / max(sumw, 1) / 1.5), floor(mine * d / life) - keep)
    if share < 2 * need or share < 2 or free < act then share = waits end   -- scarce: only what waits
    grant = max(min(want, max(share, waits), free), need)
  end
  if alg == 1 and z == 0 and grant > 0 then z = now + W end                 -- the first unit given opens the window
  local e = now + d
  if keep > 0 and e < re then e = re end                                    -- kept units: never shorter than the machine believes
  if (alg == 1 or alg == 2) and z > 0 and e > z then e = z end
  held = held + grant
  if alg == 1 and used == 0 and held == 0 then z = 0 end                    -- nothing used, nothing held: no window
  local row = ''                                                            -- all that it used is in the common count
  if not ends then
    row = pack_(ROW, id, seq, U, keep + grant, e, mine, 0)
    if e < nxt then nxt = e end
  end
  if at > 0 then
    if at == 1 then rows = row .. sub(rows, 37) else rows = sub(rows, 1, at - 1) .. row .. sub(rows, at + 36) end
  else rows = rows .. row end
  local head
  if alg == 0 then
    local full = FULL[width]
    if p1 and n1 > full then open_ring() end
    if c then
      for p = 1, 17 do if c[p] > full then used = used - (c[p] - full); c[p] = full end end   -- more than any quota of this width
    end
    head = pack_('<BI6I7I7I6I4BI6', kind, now, used, held, nxt, sumw, act, 2 * known + nb)
    if c then ring = pack_(SLOTS[width], unpack(c, 1, 17))
    elseif p1 then
      local q = 38 + (p1 - 1) * width
      ring = sub(v, 39, q) .. pack_(SLOT[width], n1) .. sub(v, q + width + 1, RB)
    elseif v then ring = sub(v, 39, RB)
    else ring = string.rep('\0', 17 * width) end
    head = head .. ring
  elseif alg == 3 then head = pack_('<BI6I7I7I6I4BI6d', kind, now, used, held, nxt, sumw, act, 2 * known + nb, z)
  else head = pack_('<BI6I7I7I6I4BI6I6', kind, now, used, held, nxt, sumw, act, 2 * known + nb, z) end
  call('SET', key, head .. rows, 'PX', ttl)
  wait = 0
  if grant < need then                                                      -- when do units come back?
    if nb > 0 then wait = max(opens - now, 1)
    elseif alg == 0 then
      local lack = need - free
      open_ring()
      for s = j - 16, j do lack = lack - c[s % 17 + 1]; if lack <= 0 then wait = math.ceil((s + 17) * W / 16) - now; break end end
    elseif alg == 3 then wait = math.ceil(z - (cap - need) * unit)
    else wait = z - now end
  end
  local left = alg == 3 and z or z - now
  return pack_(REPLY, nb > 0 and 0 or 1, grant, e - now, free - grant, held - keep - grant, clock, max(wait, 0),
    grant < need and held > keep and max(nxt - now, 1) or 0, left > 0 and math.ceil(left) or 0,
    (alg == 1 or alg == 2) and z or 0, gen and sub(gen, 7, 14) or NO_NAME)
end

local function one(key, gkey, req, ttl)
  local v = call('GET', key)
  if not v then return slow(key, gkey, req, ttl, v) end
  local id, seq, alg, W, Q, cap, need, waits, want, keep, U, age, life, least, flags, est, slack, win, reset = unpack_('<c8I4BI5I7I7I7I7I3I7I7I5I4I2BI6I2I6I6', req)
  if flags >= 8 then return slow(key, gkey, req, ttl, v) end
  if waits > want then want = waits end
  local width = alg == 0 and Q > 65535 and (Q > 999999999 and 7 or 4) or 2
  local kind = alg * 16 + width
  local k, last, used, held, nxt, sumw, act, nb, z
  local now = clock
  local from = 39
  if alg == 0 then
    k, last, used, held, nxt, sumw, act, nb = unpack_('<BI6I7I7I6I4BI6', v)
    from = 39 + 17 * width
  elseif alg == 3 then k, last, used, held, nxt, sumw, act, nb, z = unpack_('<BI6I7I7I6I4BI6d', v); from = 47
  else k, last, used, held, nxt, sumw, act, nb, z = unpack_('<BI6I7I7I6I4BI6I6', v); from = 45 end
  local at = v:find(id, from, true)
  if nb ~= 2 * reset and (nb % 2 > 0 or now < reset or now < nb / 2) then return slow(key, gkey, req, ttl, v) end
  if k ~= kind or now < last or now >= nxt or (now > est + slack and est > 0) or not at or (at - from) % 36 ~= 0 then return slow(key, gkey, req, ttl, v) end
  local rs, ru, rh, re, rw, rp = unpack_('<I4I7I7I6I3B', v, at + 8)
  local delta = U - ru
  if rp ~= 0 or seq <= rs or delta < 0 then return slow(key, gkey, req, ttl, v) end
  local body                                                                -- what stands between head and rows
  local free, p, n, q
  if alg == 0 then
    local j, jl, s = floor(16 * now / W), floor(16 * last / W), floor(16 * (now - age) / W)
    if j > jl + 1 or s <= j - 17 then return slow(key, gkey, req, ttl, v) end
    local fmt, full = '<I2', 65535
    if width == 4 then fmt, full = '<I4', 4294967295 elseif width == 7 then fmt, full = '<I7', 2 ^ 53 - 1 end
    if j > jl then                                                          -- one count leaves, its place is the newest's
      p = 39 + j % 17 * width
      used = used - unpack_(fmt, v, p)
      if s ~= j and delta > 0 then return slow(key, gkey, req, ttl, v) end
      n = delta
    elseif delta > 0 then
      p = 39 + s % 17 * width
      n = unpack_(fmt, v, p) + delta
    end
    if p and n > full then return slow(key, gkey, req, ttl, v) end
    used = used + delta
    held = held - rh + keep
    free = Q - used - held
    if p then body = v:sub(39, p - 1) .. pack_(fmt, n); q = p + width else q = 39 end
  else
    held = held - rh + keep
    if alg == 3 then
      z = z + last - now
      local unit = W / Q
      if delta > 0 then z = (z > -age and z or -age) + delta * unit end
      free = floor(cap - (z > 0 and z / unit or 0) + 1e-9) - held
    else
      if win ~= z or now >= z then return slow(key, gkey, req, ttl, v) end
      used = used + delta
      free = Q - used - held
      if used == 0 and held == 0 then return slow(key, gkey, req, ttl, v) end
    end
    q = from
  end
  if free < need then return slow(key, gkey, req, ttl, v) end
  local mine = want + keep
  if mine > 16777215 then mine = 16777215 end
  sumw = sumw - rw + mine
  local d = floor(life * free / (8 * (sumw > 0 and sumw or 1)))
  if d < least then d = least end
  if d > life then d = life end
  local share, byd = floor(free * mine / (1.5 * (sumw > 0 and sumw or 1))), floor(mine * d / life) - keep
  if byd < share then share = byd end
  if share < 2 * need or share < 2 or free < act then share = waits end
  if share < waits then share = waits end
  local grant = share < want and share or want
  if grant > free then grant = free end
  if grant < need then grant = need end
  local e = now + d
  if keep > 0 and e < re then e = re end
  if alg ~= 0 and alg ~= 3 and e > z then e = z end
  held = held + grant
  if e < nxt then nxt = e end
  local head
  if alg == 0 then
    head = pack_('<BI6I7I7I6I4BI6', kind, now, used, held, nxt, sumw, act, nb)
  elseif alg == 3 then
    head = pack_('<BI6I7I7I6I4BI6d', kind, now, used, held, nxt, sumw, act, nb, z)
  else
    head = pack_('<BI6I7I7I6I4BI6I6', kind, now, used, held, nxt, sumw, act, nb, z)
  end
  call('SET', key, head .. (body or '') .. v:sub(q, at + 7) .. pack_('<I4I7I7I6I3', seq, U, keep + grant, e, mine) .. v:sub(at + 35), 'PX', ttl)
  if alg == 0 then z = 0 end
  local left = alg == 3 and z or z - now
  return pack_(REPLY, 1, grant, e - now, free - grant, held - keep - grant, now, 0, 0, left > 0 and math.ceil(left) or 0,
    alg == 3 and 0 or z, NO_NAME)
end

if #ARGV == 1 then
  local known, out = call('GET', KEYS[1]) or '', {}
  for o = 1, #known, 14 do
    local id, seen = unpack_('<c8I6', known, o)
    if id ~= ARGV[1] and clock < seen + 15000 then out[#out + 1] = known:sub(o, o + 13) end
  end
  out[#out + 1] = ARGV[1] .. pack_('<I6', clock)
  call('SET', KEYS[1], table.concat(out), 'PX', 60000)
  return #out
end
if #KEYS == 1 then
  local gen, opens = generation(KEYS[1], ARGV[1], clock, ARGV[2] == '1')
  return pack_('<I6I6', math.max(opens - clock, 0), clock) .. gen:sub(7, 14)
end
if #KEYS == 2 then return one(KEYS[1], KEYS[2], ARGV[1], ARGV[2]) end
local out = {}
for i = 1, #KEYS, 2 do out[#out + 1] = one(KEYS[i], KEYS[i + 1], ARGV[i], ARGV[i + 1]) end
return table.concat(out)
