"""Pieces of work side by side, a bounded number at a time."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Generic, TypeVar

from runtime.log import log_exception

Work = Coroutine[object, object, None]
Piece = TypeVar("Piece")


class Crew(Generic[Piece]):
    """Starts work while there is room; a piece that fails is logged and harms no other."""

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._size = size
        self._running: dict[asyncio.Task[None], Piece] = {}

    @property
    def free(self) -> int:
        """How many pieces may be started now."""
        return self._size - len(self._running)

    def start(self, piece: Piece, work: Work, ended: Callable[[], None]) -> None:
        """Start the work on one piece; `ended` is called when it is over, however it went."""
        task = asyncio.create_task(self._run(work))
        self._running[task] = piece

        def over(task: asyncio.Task[None]) -> None:
            del self._running[task]
            ended()

        task.add_done_callback(over)

    async def finish(self, seconds: float) -> list[Piece]:
        """Wait for what runs, then end what is left: those pieces, whose leases are to go back."""
        if not self._running:
            return []
        running = dict(self._running)
        _, left = await asyncio.wait(running, timeout=seconds)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        return [running[task] for task in left]

    async def _run(self, work: Work) -> None:
        try:
            await work
        except Exception as error:
            log_exception("work_failed", error, crew=self._name)
