"""One answer for all who ask at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class OneAtATime(Generic[T]):
    """Runs a question once, however many ask it while it is under way; remembers nothing."""

    def __init__(self) -> None:
        self._under_way: asyncio.Task[T] | None = None

    async def answer(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What `ask` answers now, or what it answers to somebody who asked shortly before."""
        if self._under_way is None:
            self._under_way = asyncio.create_task(self._asked(ask))
        # One that hangs up must not fail the others that wait for the same answer.
        return await asyncio.shield(self._under_way)

    async def _asked(self, ask: Callable[[], Awaitable[T]]) -> T:
        try:
            return await ask()
        finally:
            self._under_way = None
