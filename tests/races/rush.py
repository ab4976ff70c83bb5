"""Many requests at the same moment: one event loop, one connection for each."""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import aiohttp

from tests.shop import Merchant, bearer

REQUEST_SECONDS = 30.0
CONNECTIONS = 64
IN_USE_PAUSE_SECONDS = 0.05
Result = TypeVar("Result")


class Answered(NamedTuple):
    """An answer as far as races look at it; `body` is the parsed JSON."""

    status: int
    body: dict[str, Any]
    replayed: bool
    raw: bytes

    @property
    def code(self) -> str:
        """The error code, empty for a success."""
        return str(self.body.get("error", {}).get("code", ""))


class Rush:
    """Asks in parallel as one merchant."""

    def __init__(self, session: aiohttp.ClientSession, merchant: Merchant) -> None:
        self._session = session
        self._merchant = merchant

    async def post(self, path: str, body: Any = None, key: str | None = None) -> Answered:
        """One POST to the API."""
        headers = bearer(self._merchant.secret_key)
        if key is not None:
            headers["Idempotency-Key"] = key
        return await self._ask("POST", path, json=body, headers=headers)

    async def delete(self, path: str) -> Answered:
        """One DELETE to the API."""
        return await self._ask("DELETE", path, headers=bearer(self._merchant.secret_key))

    async def _ask(self, method: str, path: str, **options: Any) -> Answered:
        url = f"{self._merchant.http.base_url!s}".rstrip("/") + path
        async with self._session.request(method, url, **options) as answer:
            raw = await answer.read()
            replayed = answer.headers.get("Idempotent-Replayed") == "true"
            return Answered(answer.status, await answer.json(), replayed, raw)

    async def post_until_told(self, path: str, body: Any, key: str) -> Answered:
        """Like `post`, again after a pause while the key's first request still runs."""
        while True:
            answered = await self.post(path, body, key)
            if answered.code != "idempotency_key_in_use":
                return answered
            await asyncio.sleep(IN_USE_PAUSE_SECONDS)

    async def act(self, payment: str, action: str, body: Any = None) -> Answered:
        """capture, cancel or refunds of a payment."""
        return await self.post(f"/v1/payments/{payment}/{action}", body)


def rush(merchant: Merchant, work: Callable[[Rush], Awaitable[Result]]) -> Result:
    """Runs `work` with connections of its own."""

    async def run() -> Result:
        connector = aiohttp.TCPConnector(limit=CONNECTIONS)
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            return await work(Rush(session, merchant))

    return asyncio.run(run())


async def together(work: Sequence[Awaitable[Result]]) -> list[Result]:
    """The results, in the order of `work`."""
    return list(await asyncio.gather(*work))


def seeded(test: str) -> random.Random:
    """Randomness that a failure can repeat: PAYMINT_RACE_SEED chooses the seed it prints."""
    seed = os.environ.get("PAYMINT_RACE_SEED") or str(random.SystemRandom().randrange(10**9))
    print(f"{test}: PAYMINT_RACE_SEED={seed}")
    return random.Random(f"{test}:{seed}")
