"""A door of ours with any application behind it, inside of the test's own loop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from contract.http_server import HttpServer, configured
from contract.patience import Patience


@asynccontextmanager
async def opened(application: Any, *, shared_port: bool = False) -> AsyncIterator[HttpServer]:
    """The door listens on a free port of loopback until the block ends."""
    patience = Patience()
    config = configured(application, 0, patience, loop="none", lifespan="off")
    config.load()
    server = HttpServer(config, patience=patience, certified=None, shared_port=shared_port)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        yield server
    finally:
        await server.shutdown()
