"""How often somebody may ask: token bucket, sliding window, daily quota, and the block.

Blueprint section 7 and contract-decisions, "limits".  `decide` is the one definition of the
rules; the script that Valkey runs (adapters/limiter/script.py) is its translation, and one
suite of tests holds the two together.  Whole numbers only, so that both reckon alike:
tokens are counted in thousandths, of which a rate of n a second brings n in a millisecond.

A request that is refused takes nothing, so waiting as long as was said is always enough
("no penalty accumulation"); it counts only against the conduct of the key that sent it.
"""

from functools import lru_cache
from typing import Final, NamedTuple

SECOND_MS: Final = 1000
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
TOKEN: Final = 1000
MULTIPLIER_MAX: Final = 1000

# Ten times the limit for more than 60 seconds: six stretches of ten seconds, each as heavy,
# and a request after them (blueprint section 7, "Overage Behavior").
OVERUSE_FACTOR: Final = 10
STRETCH_MS: Final = 10_000
STRETCHES: Final = 6
BLOCK_MS: Final = 300_000


class Rules(NamedTuple):
    """What one caller may do.

    `per_second` tokens flow in, up to `burst`; at most `per_window` in any `window_ms`, and
    `per_day` in a UTC day (0: any number).  `overuse` requests in each of six stretches of
    ten seconds block the key (0: never).
    """

    per_second: int
    burst: int
    per_window: int
    per_day: int
    window_ms: int = MINUTE_MS
    overuse: int = 0


class Bucket(NamedTuple):
    """What was used up: thousandths of tokens left at a moment, counts of window and day."""

    left: int
    at: int
    window: int
    used: int
    before: int
    day: int
    today: int


class Conduct(NamedTuple):
    """How one key behaves: requests of this stretch, heavy stretches before it, its block."""

    stretch: int
    asked: int
    heavy: int
    blocked_until: int


class Decision(NamedTuple):
    """Whether to serve, and what the caller is told of it.

    `remaining`: what could be sent now.  `policy`: which limit is nearest, 0 second, 1 window,
    2 day.  `wait_ms`: until this request would be served or, after one that was, until the
    next token.  `blocked`: the key is shut out; `struck`: this request brought that about.
    """

    allowed: bool
    remaining: int
    policy: int
    wait_ms: int
    blocked: bool
    struck: bool
    now_ms: int


_TIERS: Final = {
    # requests per second, burst, per minute, per day: the table of blueprint section 7
    "live": (100, 500, 4_000, 1_000_000),
    "test": (25, 100, 1_000, 100_000),
    "oauth": (50, 250, 2_000, 500_000),
    "publishable": (10, 30, 200, 50_000),
    "platform": (200, 1_000, 8_000, 0),
}


@lru_cache(maxsize=4096)
def rules_of(tier: str, multiplier: int = 1) -> Rules:
    """The rules of a tier, `multiplier` times what the blueprint gives everybody."""
    per_second, burst, per_window, per_day = (each * multiplier for each in _TIERS[tier])
    overuse = OVERUSE_FACTOR * per_second * (STRETCH_MS // SECOND_MS)
    # The operator's own key is throttled, and never shut out.
    return Rules(
        per_second, burst, per_window, per_day, overuse=0 if tier == "platform" else overuse
    )


@lru_cache(maxsize=16)
def window_only(quota: int, window_ms: int) -> Rules:
    """At most `quota` in any `window_ms`, at whatever pace."""
    return Rules(quota, quota, quota, 0, window_ms)


@lru_cache(maxsize=16)
def steady(per_minute: int) -> Rules:
    """A limit for those who show no key: a tenth of a minute's worth at once."""
    return Rules(max(1, per_minute // 20), max(1, per_minute // 6), per_minute, 0)


@lru_cache(maxsize=4096)
def shared(rules: Rules, processes: int) -> Rules:
    """The share of one of several processes that cannot ask each other."""
    if processes == 1:
        return rules
    return Rules(
        max(1, rules.per_second // processes),
        max(1, rules.burst // processes),
        max(1, rules.per_window // processes),
        max(1, rules.per_day // processes) if rules.per_day else 0,
        rules.window_ms,
        max(1, rules.overuse // processes) if rules.overuse else 0,
    )


def decide(
    rules: Rules, bucket: Bucket | None, conduct: Conduct | None, now_ms: int, cost: int
) -> tuple[Decision, Bucket, Conduct]:
    """The decision about `cost` requests at once, and what is to be remembered.

    More than a full bucket holds costs a full bucket, so that nothing is refused for ever.
    """
    cost = min(cost, rules.burst, rules.per_window, rules.per_day or cost)
    found = _refreshed(rules, bucket, now_ms)
    behaved, blocked, struck = _watched(rules, conduct, now_ms, cost)
    wait, policy = _wait(rules, found, now_ms, cost)
    allowed = wait == 0 and not blocked
    if allowed:
        found = found._replace(
            left=found.left - cost * TOKEN, used=found.used + cost, today=found.today + cost
        )
    remaining, nearest = _remaining(rules, found, now_ms)
    if blocked:
        wait, remaining = behaved.blocked_until - now_ms, 0
    elif allowed and remaining == 0:
        wait, policy = _wait(rules, found, now_ms, 1)
    elif allowed:
        wait, policy = _until_next_token(rules, found), nearest
    decision = Decision(allowed, remaining, policy, wait, blocked, struck, now_ms)
    return decision, found, behaved


def waiting_for_one_more(decision: Decision, rules: Rules) -> Decision:
    """The refusal of the rest of a batch, whose first item was charged and will be once more.

    Without the time of that one token, who waits as long as it was told would be refused again.
    """
    token = max(-(-SECOND_MS // rules.per_second), -(-rules.window_ms // rules.per_window))
    return decision._replace(wait_ms=decision.wait_ms + (0 if decision.blocked else token))


def given_back(bucket: Bucket, rules: Rules, cost: int) -> Bucket:
    """The bucket as if `cost` requests, charged a moment ago, had not been made."""
    return bucket._replace(
        left=min(rules.burst * TOKEN, bucket.left + cost * TOKEN),
        used=max(0, bucket.used - cost),
        today=max(0, bucket.today - cost),
    )


def _refreshed(rules: Rules, bucket: Bucket | None, now_ms: int) -> Bucket:
    """The bucket at this moment.  One from the future (a clock was set back) starts its
    window anew and keeps its tokens, so nobody waits for a clock to come round."""
    full = rules.burst * TOKEN
    window, day = now_ms // rules.window_ms, now_ms // DAY_MS
    if bucket is None:
        return Bucket(full, now_ms, window, 0, 0, day, 0)
    elapsed = min(max(now_ms - bucket.at, 0), full)
    count, before = bucket.used, bucket.before
    if window != bucket.window:
        before = count if window == bucket.window + 1 else 0
        count = 0
    return Bucket(
        min(full, bucket.left + elapsed * rules.per_second),
        now_ms,
        window,
        count,
        before,
        day,
        bucket.today if day == bucket.day else 0,
    )


def _watched(
    rules: Rules, conduct: Conduct | None, now_ms: int, cost: int
) -> tuple[Conduct, bool, bool]:
    """The key's conduct with this request, whether it is blocked, and whether just now."""
    stretch = now_ms // STRETCH_MS
    found = conduct or Conduct(stretch, 0, 0, 0)
    if rules.overuse == 0:
        return found, False, False
    asked, heavy = found.asked, found.heavy
    if stretch != found.stretch:
        goes_on = stretch == found.stretch + 1 and asked >= rules.overuse
        asked, heavy = 0, heavy + 1 if goes_on else 0
    until = found.blocked_until
    blocked = now_ms < until <= now_ms + BLOCK_MS
    struck = not blocked and heavy >= STRETCHES
    if struck:
        blocked, until, heavy = True, now_ms + BLOCK_MS, 0
    return Conduct(stretch, asked + cost, heavy, until), blocked, struck


def _wait(rules: Rules, bucket: Bucket, now_ms: int, cost: int) -> tuple[int, int]:
    """Milliseconds until `cost` would pass every check, and which check lasts longest."""
    second = max(0, -((bucket.left - cost * TOKEN) // rules.per_second))
    window = _window_wait(rules, bucket, now_ms, cost)
    day = 0
    if rules.per_day and bucket.today + cost > rules.per_day:
        day = DAY_MS - now_ms % DAY_MS
    wait = max(second, window, day)
    if wait == second:
        return wait, 0
    return wait, 1 if wait == window else 2


def _window_wait(rules: Rules, bucket: Bucket, now_ms: int, cost: int) -> int:
    """The window before counts by the part of it that the last `window_ms` still touch."""
    length = rules.window_ms
    into, room = now_ms % length, rules.per_window - bucket.used - cost
    if bucket.before * (length - into) <= room * length:
        return 0
    if room >= 0:
        return length - room * length // bucket.before - into
    spare = rules.per_window - cost
    return length - into + max(0, length - spare * length // bucket.used)


def _remaining(rules: Rules, bucket: Bucket, now_ms: int) -> tuple[int, int]:
    length = rules.window_ms
    touched = -(-bucket.before * (length - now_ms % length) // length)
    left = min(bucket.left // TOKEN, rules.per_second)
    nearest = 0
    window = max(0, rules.per_window - bucket.used - touched)
    if window < left:
        left, nearest = window, 1
    if rules.per_day:
        day = max(0, rules.per_day - bucket.today)
        if day < left:
            left, nearest = day, 2
    return left, nearest


def _until_next_token(rules: Rules, bucket: Bucket) -> int:
    if bucket.left >= rules.burst * TOKEN:
        return 0
    return -((bucket.left % TOKEN - TOKEN) // rules.per_second)
