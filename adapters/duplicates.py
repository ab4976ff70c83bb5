"""The fast duplicate check in front of the database: has this key been seen lately?

One Valkey command per request.  It only hints: "seen" makes the flow read the key's row
before it claims; "not seen" lets it claim at once, and the database decides either way.
So Valkey may be empty, wrong or gone at any time.
"""

import asyncio

from prometheus_client import Counter, Histogram

from adapters.kept_link import KeptLink
from adapters.valkey_link import LinkLost
from domain.callers import Caller, Once

SEEN_SECONDS = 48 * 3600

_EXPIRY = str(SEEN_SECONDS).encode()
_STORED = b"+OK"
_THERE_BEFORE = (b"$-1", b"_")
_CHECK_SECONDS = Histogram(
    "paymint_duplicate_check_seconds",
    "What the fast duplicate check adds to a request",
    buckets=(0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5),
)
_FAILURES = Counter("paymint_valkey_failures", "Duplicate checks that Valkey did not answer")


class Duplicates:
    """Asks Valkey over one link; without Valkey every key is unseen."""

    def __init__(self, url: str | None) -> None:
        self._link = KeptLink(url)

    async def seen(self, caller: Caller, once: Once) -> bool:
        """True when this merchant used this key in this mode before, as far as known."""
        link = self._link.now
        if link is None:
            return False
        loop = asyncio.get_running_loop()
        began = loop.time()
        # The braces keep a merchant's keys on one shard of a cluster.
        name = b"seen:{%s}:%d:%s" % (
            caller.merchant_id.hex.encode(),
            caller.livemode,
            once.key.hex.encode(),
        )
        try:
            reply = await link.ask(b"SET", name, b"1", b"EX", _EXPIRY, b"NX")
        except LinkLost:
            _FAILURES.inc()
            return False
        _CHECK_SECONDS.observe(loop.time() - began)
        if reply in _THERE_BEFORE:
            return True
        if reply != _STORED:
            _FAILURES.inc()
        return False

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
