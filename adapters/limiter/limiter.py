"""The limiter of all processes: one script in Valkey, and a memory of our own without it.

What Valkey does not answer in time is decided here, by the same rules and this process's
share of the budget: an outage of ours refuses nobody who stays within it, and costs at most
`ANSWER_WITHIN_SECONDS` and a look.

With the same question goes whether an idempotency key was seen lately.  That only hints:
"seen" makes the flow read the key's row before it claims, "not seen" lets it claim at once,
and the database decides either way.  So Valkey may be empty, wrong or gone at any time.
"""

import asyncio
from typing import NamedTuple

from prometheus_client import Counter, Gauge, Histogram

from adapters.kept_link import KeptLink
from adapters.limiter.script import DIGEST, SCRIPT
from adapters.valkey_link import LinkLost, ValkeyLink
from domain.allowances import Allowance
from domain.limit_memory import LimitMemory
from domain.rate_limits import Decision, Rules, shared
from runtime.clock import Clock
from runtime.log import log

ANSWER_WITHIN_SECONDS = 0.1
LOOK_SECONDS = 0.025

SEEN_SECONDS = 48 * 3600

_FIELDS = 8
_UNKNOWN_SCRIPT = b"-NOSCRIPT"
_SERVERS_CLOCK = b"0"
_SEEN_FOR = b"%d" % SEEN_SECONDS
_SECONDS = Histogram(
    "paymint_limiter_seconds",
    "What one decision of the limiter adds to a request",
    buckets=(0.0001, 0.00025, 0.0005, 0.00075, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25),
)
_DECISIONS = Counter("paymint_limiter_decisions", "Decisions of the limiter", ["outcome"])
_LOCAL = Counter("paymint_limiter_local_decisions", "Decisions made without Valkey")
_FALLBACK = Gauge("paymint_limiter_fallback", "1 while decisions are made without Valkey")
_ALLOWED, _REFUSED, _BLOCKED = (
    _DECISIONS.labels(outcome) for outcome in ("allowed", "refused", "blocked")
)


class Admitted(NamedTuple):
    """The decision about a request, and whether its mark was left there by an earlier one."""

    decision: Decision
    seen_before: bool


class Limiter:
    """Asks Valkey over a link of its own; `processes` share the budget where it is away."""

    def __init__(self, url: str | None, clock: Clock, processes: int = 1) -> None:
        self._link = KeptLink(url, ANSWER_WITHIN_SECONDS, LOOK_SECONDS)
        self._clock = clock
        self._processes = processes
        self._memory = LimitMemory()
        self._loop = asyncio.get_running_loop()
        # A wall clock that is set while we run would refill or empty every bucket.
        self._began_ms = clock.unix_ms() - int(clock.monotonic() * 1000)
        self._words: dict[Rules, tuple[bytes, ...]] = {}
        self._alone = False

    async def decide(self, allowance: Allowance, cost: int = 1) -> Decision:
        """Charge `cost` requests, or refuse them all."""
        return (await self.admit(allowance, cost)).decision

    async def admit(self, allowance: Allowance, cost: int = 1, mark: str | None = None) -> Admitted:
        """Charge `cost` requests, or refuse them all; leave `mark` where they are not refused."""
        began = self._loop.time()
        link, admitted = self._link.now, None
        if link is not None:
            words = self._words.get(allowance.rules) or self._words_of(allowance.rules)
            admitted = await ask(link, allowance, words, cost, mark=mark)
        if (admitted is None) != self._alone:
            self._alone = admitted is None
            _FALLBACK.set(self._alone)
        if admitted is None:
            _LOCAL.inc()
            admitted = Admitted(self._decided_here(allowance, cost), False)
        _SECONDS.observe(self._loop.time() - began)
        decision = admitted.decision
        if decision.allowed:
            _ALLOWED.inc()
        elif decision.blocked:
            _BLOCKED.inc()
        else:
            _REFUSED.inc()
        return admitted

    async def state(self) -> str:
        """`ok`, or `degraded` when Valkey is absent or does not answer."""
        link = self._link.now
        try:
            answered = link is not None and await link.ask(b"PING") == b"+PONG"
        except LinkLost:
            answered = False
        return "ok" if answered else "degraded"

    async def start(self) -> None:
        """Begin to connect."""
        self._link.start()

    async def close(self) -> None:
        """End the link."""
        await self._link.close()

    @property
    def linked(self) -> bool:
        """Whether Valkey is asked at present."""
        return self._link.now is not None

    def _decided_here(self, allowance: Allowance, cost: int) -> Decision:
        now_ms = self._began_ms + int(self._clock.monotonic() * 1000)
        ours = allowance._replace(rules=shared(allowance.rules, self._processes))
        return self._memory.decide(ours, cost, now_ms)

    def _words_of(self, rules: Rules) -> tuple[bytes, ...]:
        words = self._words[rules] = tuple(b"%d" % number for number in rules)
        return words


async def ask(
    link: ValkeyLink,
    allowance: Allowance,
    words: tuple[bytes, ...],
    cost: int,
    moment: bytes = _SERVERS_CLOCK,
    mark: str | None = None,
) -> Admitted | None:
    """The script's decision at `moment`; None when there is none to be had."""
    names = [allowance.bucket.encode(), allowance.conduct.encode()]
    if mark is not None:
        names.append(mark.encode())
    told = (b"%d" % len(names), *names, *words, b"%d" % cost, moment, _SEEN_FOR)
    try:
        reply = await link.ask(b"EVALSHA", DIGEST, *told)
        if reply.startswith(_UNKNOWN_SCRIPT):
            reply = await link.ask(b"EVAL", SCRIPT, *told)
    except LinkLost:
        return None
    fields = reply.split()
    if len(fields) != _FIELDS or reply[:1] == b"-":
        # As from a replica, a cluster's other node, or a server that is still loading.
        log("limiter_not_answered", reply=reply[:60].decode("latin-1"))
        return None
    allowed, remaining, policy, wait_ms, blocked, struck, now_ms, seen = map(int, fields)
    decision = Decision(allowed == 1, remaining, policy, wait_ms, blocked == 1, struck == 1, now_ms)
    return Admitted(decision, seen == 1)
