"""A merchant's server: keeps what it is sent, answers as a test tells it to."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

Behaviour = Callable[["Received"], Awaitable[web.StreamResponse]]


@dataclass
class Received:
    """One request: when it came, when its answer was ready, and what it was."""

    path: str
    headers: dict[str, str]
    body: bytes
    came_at: float
    request: web.Request
    ended_at: float | None = None

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = orjson.loads(self.body)
        return event


@dataclass
class Receiver:
    """`behaviours` by path; every other path answers 200 at once."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    at_once: int = 0
    most_at_once: int = 0

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def at(self, path: str) -> list[Received]:
        return [received for received in self.received if received.path == path]

    async def waits(self, received: Received) -> web.StreamResponse:
        """A behaviour: no answer until the test lets go."""
        await self.let_go.wait()
        return web.Response()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = dict(request.headers)
        received = Received(request.path, headers, body, time.monotonic(), request)
        self.received.append(received)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            behaviour = self.behaviours.get(request.path)
            return web.Response() if behaviour is None else await behaviour(received)
        finally:
            self.at_once -= 1
            received.ended_at = time.monotonic()


def answers(status: int, after_seconds: float = 0.0, **headers: str) -> Behaviour:
    async def behave(received: Received) -> web.StreamResponse:
        await asyncio.sleep(after_seconds)
        return web.Response(status=status, headers=headers)

    return behave


async def hangs(received: Received) -> web.StreamResponse:
    await asyncio.sleep(3600)
    return web.Response()


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """A listening receiver on loopback."""
    built = Receiver()
    application = web.Application(client_max_size=2**20)
    application.router.add_route("*", "/{path:.*}", built.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    built.port = runner.addresses[0][1]
    try:
        yield built
    finally:
        await runner.cleanup()
