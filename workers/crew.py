"""Pieces of work side by side, a bounded number at a time."""

import asyncio
from collections.abc import Callable, Coroutine

from runtime.log import log_exception

Work = Coroutine[object, object, None]


class Crew:
    """Starts work while there is room; a piece that fails is logged and harms no other."""

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._size = size
        self._running: set[asyncio.Task[None]] = set()

    @property
    def free(self) -> int:
        """How many pieces may be started now."""
        return self._size - len(self._running)

    def start(self, work: Work, ended: Callable[[], None]) -> None:
        """Start one piece; `ended` is called when it is over, however it went."""
        task = asyncio.create_task(self._run(work))
        self._running.add(task)

        def over(task: asyncio.Task[None]) -> None:
            self._running.discard(task)
            ended()

        task.add_done_callback(over)

    async def finish(self, seconds: float) -> None:
        """Wait for what runs, then give up what is left: its leases will run out."""
        if not self._running:
            return
        _, left = await asyncio.wait(self._running, timeout=seconds)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _run(self, work: Work) -> None:
        try:
            await work
        except Exception as error:
            log_exception("work_failed", error, crew=self._name)
