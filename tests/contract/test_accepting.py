"""A crowd of new connections is let in quickly, however long a turn of the loop takes."""

import asyncio
import socket
from contextlib import ExitStack
from typing import Any

import uvloop

from tests.contract.doors import opened

CROWD = 320
# One in a turn would need as many turns as there are connections.
TURNS_MAX = CROWD // 8


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    """No request is made here."""


async def _turns(shared_port: bool) -> int:
    """Turns of the loop until a crowd that knocks at once is let in."""
    async with opened(_nothing, shared_port=shared_port) as server:
        address = server.servers[0].sockets[0].getsockname()
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


def test_many_connections_are_accepted_in_one_turn() -> None:
    for shared_port in (False, True):
        assert uvloop.run(_turns(shared_port)) <= TURNS_MAX
