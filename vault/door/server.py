"""Runs the token door under uvicorn, beside everything else in the same event loop."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from contract.http_server import HttpServer, configured
from contract.patience import Patience
from runtime.public_tls import Certified
from vault.door.tokens import TokenDoor

KEEP_ALIVE_SECONDS = 5.0
DRAIN_SECONDS = 5
_STEP_SECONDS = 0.02


class _Server(HttpServer):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # The process listens to its signals itself: the relay door drains with this one.
        yield


class TokenServer:
    """Serves the token door on a port that several vault processes may share."""

    def __init__(self, door: TokenDoor, port: int) -> None:
        patience = Patience.from_environment().within_open_files()
        patience = replace(patience, idle_seconds=min(patience.idle_seconds, KEEP_ALIVE_SECONDS))
        config = configured(
            door,
            port,
            patience,
            loop="none",
            lifespan="off",
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
        certified = Certified.from_environment()
        self._server = _Server(config, patience=patience, certified=certified, shared_port=True)
        self._serving: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Listen; ends the process when the port is taken."""
        self._serving = asyncio.create_task(self._server.serve())
        while not self._server.started and not self._serving.done():
            await asyncio.sleep(_STEP_SECONDS)

    async def close(self) -> None:
        """Take no more requests, finish those that run."""
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving
