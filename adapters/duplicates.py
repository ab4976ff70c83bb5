"""The fast duplicate check in front of the database: has this key been seen lately?

One Valkey command per request, many requests per round trip.  It only hints: "seen" makes
the flow read the key's row before it claims; "not seen" lets it claim at once, and the
database decides either way.  So Valkey may be empty, wrong or gone at any time.
"""

import asyncio

import redis.asyncio as redis
from prometheus_client import Counter, Histogram
from redis.exceptions import RedisError

from domain.callers import Caller, Once
from runtime.log import log

SEEN_SECONDS = 48 * 3600
ANSWER_WITHIN_SECONDS = 0.25
# After a failure Valkey is left alone for this long, so that an outage costs no latency.
PAUSE_SECONDS = 1.0

_CHECK_SECONDS = Histogram(
    "paymint_duplicate_check_seconds",
    "What the fast duplicate check adds to a request",
    buckets=(0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5),
)
_FAILURES = Counter("paymint_valkey_failures", "Duplicate checks that Valkey did not answer")


class Duplicates:
    """Asks Valkey, in batches of what waits; without Valkey every key is unseen."""

    def __init__(self, url: str | None) -> None:
        self._client: redis.Redis | None = None
        if url is not None:
            self._client = redis.from_url(
                url,
                socket_timeout=ANSWER_WITHIN_SECONDS,
                socket_connect_timeout=ANSWER_WITHIN_SECONDS,
            )
        self._waiting: list[tuple[str, asyncio.Future[bool]]] = []
        self._running: asyncio.Task[None] | None = None
        self._paused_until = 0.0

    async def seen(self, caller: Caller, once: Once) -> bool:
        """True when this merchant used this key in this mode before, as far as known."""
        loop = asyncio.get_running_loop()
        if self._client is None or loop.time() < self._paused_until:
            return False
        # The braces keep a merchant's keys on one shard of a cluster.
        name = f"seen:{{{caller.merchant_id.hex}}}:{int(caller.livemode)}:{once.key.hex}"
        future: asyncio.Future[bool] = loop.create_future()
        self._waiting.append((name, future))
        if self._running is None:
            self._running = asyncio.create_task(self._ask_all(self._client))
        began = loop.time()
        seen = await future
        _CHECK_SECONDS.observe(loop.time() - began)
        return seen

    async def state(self) -> str:
        """`ok`, or `degraded` when Valkey is absent or does not answer."""
        if self._client is None:
            return "degraded"
        try:
            await self._client.ping()
        except (RedisError, OSError):
            return "degraded"
        return "ok"

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _ask_all(self, client: redis.Redis) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                answers = await self._ask(client, [name for name, _ in batch])
                for (_, future), answer in zip(batch, answers, strict=True):
                    if not future.done():
                        future.set_result(answer)
        finally:
            self._running = None

    async def _ask(self, client: redis.Redis, names: list[str]) -> list[bool]:
        try:
            async with client.pipeline(transaction=False) as pipeline:
                for name in names:
                    pipeline.set(name, b"1", ex=SEEN_SECONDS, nx=True)
                stored = await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError, TimeoutError) as error:
            return self._give_up(type(error).__name__, len(names))
        if any(isinstance(answer, Exception) for answer in stored):
            return self._give_up("ReplyError", len(names))
        return [not answer for answer in stored]

    def _give_up(self, reason: str, count: int) -> list[bool]:
        self._paused_until = asyncio.get_running_loop().time() + PAUSE_SECONDS
        _FAILURES.inc(count)
        log("valkey_unavailable", reason=reason)
        return [False] * count
