"""A crowd of new connections is let in quickly, however long a turn of the loop takes."""

import asyncio
import socket
from contextlib import ExitStack
from typing import Any

import uvloop

from contract.http_server import HttpServer, configured
from contract.patience import Patience

CROWD = 320
# One in a turn would need as many turns as there are connections.
TURNS_MAX = CROWD // 8


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    """No request is made here."""


async def _turns(shared_port: bool) -> int:
    """Turns of the loop until a crowd that knocks at once is let in."""
    patience = Patience()
    config = configured(_nothing, 0, patience, loop="none", lifespan="off")
    config.load()
    server = HttpServer(config, patience=patience, certified=None, shared_port=shared_port)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    address = server.servers[0].sockets[0].getsockname()
    try:
        with ExitStack() as crowd:
            for _ in range(CROWD):
                client = crowd.enter_context(socket.socket())
                client.setblocking(False)
                client.connect_ex(address)
            turns = 0
            while len(server.server_state.connections) < CROWD and turns < CROWD:
                await asyncio.sleep(0)
                turns += 1
            return turns
    finally:
        await server.shutdown()


def test_many_connections_are_accepted_in_one_turn() -> None:
    for shared_port in (False, True):
        assert uvloop.run(_turns(shared_port)) <= TURNS_MAX
