"""Waiting for the link to a vault."""

import asyncio
from uuid import UUID

from adapters.vault_door import Unsent, VaultDoor
from contract import relay

LINK_SECONDS = 20.0


async def linked(door: VaultDoor, merchant_id: UUID) -> None:
    """Wait until the vault is reached: a handshake on a busy machine outlasts a call's patience."""
    echo = relay.Echo(request_id="req_test", merchant_id=merchant_id, livemode=False)
    async with asyncio.timeout(LINK_SECONDS):
        while True:
            try:
                await door.call(echo)
            except Unsent:
                await asyncio.sleep(0.02)
            else:
                return
