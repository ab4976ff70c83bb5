"""A loop that outlives what it depends on."""

import asyncio
from collections.abc import Awaitable, Callable

from prometheus_client import Counter

from runtime.database import DatabaseUnavailable
from runtime.log import log, log_exception

AFTER_FAILURE_SECONDS = 0.5

_FAILED = Counter("paymint_worker_failed_turns", "Turns of a worker's loop that failed", ["loop"])


class Turning:
    """Calls `turn` again and again: at once while it finds work, else after a pause.

    A turn answers how much it took up.  One that fails is logged and followed by a pause
    of half a second: the database or the vault may be back by then.  `breath_seconds` is
    the pause that even a turn that found work is followed by, so that work can gather.
    """

    def __init__(
        self,
        name: str,
        turn: Callable[[], Awaitable[int]],
        pause_seconds: float,
        breath_seconds: float = 0.0,
    ) -> None:
        self._name = name
        self._turn = turn
        self._pause_seconds = pause_seconds
        self._breath_seconds = breath_seconds
        self._stopping = False
        # Zero is shown before the first failure, so that a rate over it can be told.
        _FAILED.labels(name)
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Turn until stopped."""
        while not self._stopping:
            self._woken.clear()
            pause = await self._turn_once()
            await asyncio.sleep(self._breath_seconds)
            if pause:
                await self._sleep(pause)

    def wake(self) -> None:
        """Look again now: something has ended that may have made room."""
        self._woken.set()

    def stop(self) -> None:
        """End after the turn that runs."""
        self._stopping = True
        self._woken.set()

    async def _turn_once(self) -> float:
        try:
            return 0 if await self._turn() else self._pause_seconds
        except DatabaseUnavailable:
            log("worker_waits_for_database", loop=self._name)
        except Exception as error:
            log_exception("worker_turn_failed", error, loop=self._name)
        _FAILED.labels(self._name).inc()
        # What ended meanwhile must not shorten the pause into a busy loop.
        await asyncio.sleep(AFTER_FAILURE_SECONDS)
        return 0

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            pass
