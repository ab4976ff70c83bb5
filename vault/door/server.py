"""Runs the token door under uvicorn, beside everything else in the same event loop."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from contract.http_heads import BoundedHttp
from vault.door.tokens import TokenDoor

KEEP_ALIVE_SECONDS = 5
DRAIN_SECONDS = 5
BACKLOG = 2048
_LOOPBACK = "127.0.0.1"
_STEP_SECONDS = 0.02


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # The process listens to its signals itself: the relay door drains with this one.
        yield


class TokenServer:
    """Serves the token door on a port that several vault processes may share."""

    def __init__(self, door: TokenDoor, port: int) -> None:
        config = uvicorn.Config(
            door,
            loop="none",
            http=BoundedHttp,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
        self._server = _Server(config)
        self._port = port
        self._serving: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Listen; raises OSError when the port is taken."""
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind((_LOOPBACK, self._port))
        listening.listen(BACKLOG)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listening]))
        while not self._server.started and not self._serving.done():
            await asyncio.sleep(_STEP_SECONDS)

    async def close(self) -> None:
        """Take no more requests, finish those that run."""
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving
