"""`domain.rate_limits.decide` in the language that Valkey runs: one call, one decision.

KEYS: the bucket and the conduct, and perhaps the mark of an idempotency key, under one hash
tag.  ARGV: the rules in the order of `Rules`, the cost, and the moment in milliseconds; 0 asks
the server's own clock, which all processes share, so that a process whose clock is wrong
decides as every other; then for how many seconds the mark stays.
Answers `allowed remaining policy wait_ms blocked struck now_ms seen`; `seen` is 1 where the
mark stood there before.  Who is refused leaves no mark.  A day's count is kept for 25 hours,
other buckets for two of their windows.
"""

import hashlib
from typing import Final

SCRIPT: Final = b"""
local rate, burst, quota = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local daily, length, overuse = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local cost, now = math.min(tonumber(ARGV[7]), burst, quota), tonumber(ARGV[8])
if daily > 0 then cost = math.min(cost, daily) end
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local DAY, STRETCH, BLOCK, HEAVY = 86400000, 10000, 300000, 6
local floor, ceil, max, min = math.floor, math.ceil, math.max, math.min
local full, window, day = burst * 1000, floor(now / length), floor(now / DAY)
local into = now % length

local left, count, before, today = full, 0, 0, 0
local packed = redis.call('GET', KEYS[1])
if packed then
  local at, was, on
  left, at, was, count, before, on, today = struct.unpack('<ddddddd', packed)
  left = min(full, left + min(max(now - at, 0), full) * rate)
  if window ~= was then
    before = window == was + 1 and count or 0
    count = 0
  end
  if day ~= on then today = 0 end
end

local blocked, struck, till = false, false, 0
if overuse > 0 then
  local stretch, asked, heavy = floor(now / STRETCH), 0, 0
  local known = redis.call('GET', KEYS[2])
  if known then
    local was
    was, asked, heavy, till = struct.unpack('<dddd', known)
    if stretch ~= was then
      heavy = (stretch == was + 1 and asked >= overuse) and heavy + 1 or 0
      asked = 0
    end
  end
  blocked = now < till and till <= now + BLOCK
  struck = not blocked and heavy >= HEAVY
  if struck then
    blocked, till, heavy = true, now + BLOCK, 0
  end
  redis.call('SET', KEYS[2], struct.pack('<dddd', stretch, asked + cost, heavy, till),
    'EX', 90000)
end

local function waits(wanted)
  local second = max(0, ceil((wanted * 1000 - left) / rate))
  local room, slide = quota - count - wanted, 0
  if before * (length - into) > room * length then
    if room >= 0 then
      slide = length - floor(room * length / before) - into
    else
      local spare = quota - wanted
      slide = length - into + max(0, length - floor(spare * length / count))
    end
  end
  local quotum = 0
  if daily > 0 and today + wanted > daily then quotum = DAY - now % DAY end
  local wait = max(second, slide, quotum)
  if wait == second then return wait, 0 end
  if wait == slide then return wait, 1 end
  return wait, 2
end

local wait, policy = waits(cost)
local allowed = wait == 0 and not blocked
if allowed then
  left, count, today = left - cost * 1000, count + cost, today + cost
end
redis.call('SET', KEYS[1],
  struct.pack('<ddddddd', left, now, window, count, before, day, today),
  'EX', daily > 0 and 90000 or ceil(length / 500))

local remaining, nearest = min(floor(left / 1000), rate), 0
local open = max(0, quota - count - ceil(before * (length - into) / length))
if open < remaining then remaining, nearest = open, 1 end
if daily > 0 and max(0, daily - today) < remaining then
  remaining, nearest = max(0, daily - today), 2
end
if blocked then
  wait, remaining = till - now, 0
elseif allowed and remaining == 0 then
  wait, policy = waits(1)
elseif allowed then
  policy = nearest
  wait = left >= full and 0 or ceil((1000 - left % 1000) / rate)
end
local seen = allowed and KEYS[3]
  and not redis.call('SET', KEYS[3], '1', 'NX', 'EX', ARGV[9])
return string.format('%d %d %d %.0f %d %d %.0f %d', allowed and 1 or 0, remaining, policy, wait,
  blocked and 1 or 0, struck and 1 or 0, now, seen and 1 or 0)
"""
DIGEST: Final = hashlib.sha1(SCRIPT, usedforsecurity=False).hexdigest().encode("ascii")
