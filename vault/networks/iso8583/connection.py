"""A persistent connection to one address of a card network: made, kept, made again."""

import asyncio
import random
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from runtime.clock import Clock
from runtime.log import log
from vault.networks.iso8583.codec import Message
from vault.networks.iso8583.link import Link, Patience
from vault.networks.network import NetworkSilent, NetworkUnreached
from vault.settings import Address

CONNECT_SECONDS: Final = 2.0
BACKOFF_FIRST_SECONDS: Final = 0.02
BACKOFF_MAX_SECONDS: Final = 1.0
BACKOFF_GROWTH: Final = 2
# A network that takes us in and drops us at once is away like one that takes nobody in.
LASTING_SECONDS: Final = 0.1
HOST_NAME: Final = "paymint-network"


class Connection:
    """Connects, signs on, and does so again after a pause whenever the link is lost."""

    def __init__(
        self,
        address: Address,
        tls: ssl.SSLContext,
        clock: Clock,
        patience: Patience,
        on_told: Callable[[Link, Message], None],
    ) -> None:
        self.address = address
        self.link: Link | None = None
        self._tls = tls
        self._clock = clock
        self._patience = patience
        self._on_told = on_told
        self._down = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin connecting."""
        self._keeping = asyncio.create_task(self._keep(), name=f"network-{self.address.network}")

    def renew(self, tls: ssl.SSLContext) -> None:
        """Use other certificates from the next connection on."""
        self._tls = tls

    async def close(self) -> None:
        """Stop connecting, sign off, and close."""
        if self._keeping is not None:
            self._keeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeping
        link = self.link
        if link is None:
            return
        if link.up:
            with suppress(NetworkUnreached, NetworkSilent):
                await link.sign_off()
        link.close_after_flush()

    async def _keep(self) -> None:
        pause = BACKOFF_FIRST_SECONDS
        while True:
            if await self._connect():
                up_at = self._clock.monotonic()
                await self._down.wait()
                log("network_link_down", network=self.address.network)
                if self._clock.monotonic() - up_at >= LASTING_SECONDS:
                    pause = BACKOFF_FIRST_SECONDS
            # Spread, so that many processes do not knock in step.
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # nosec B311  # no secret
            pause = min(pause * BACKOFF_GROWTH, BACKOFF_MAX_SECONDS)

    async def _connect(self) -> bool:
        self._down.clear()
        loop = asyncio.get_running_loop()
        network, host, port = self.address
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, link = await loop.create_connection(
                    self._link, host, port, ssl=self._tls, server_hostname=HOST_NAME
                )
        except (OSError, TimeoutError):
            return False
        # Swept from here on, so that the sign-on is not waited for for ever.
        self.link = link
        try:
            await link.sign_on()
        except (NetworkUnreached, NetworkSilent):
            link.abort()
            return False
        if link.up:
            log("network_link_up", network=network)
        return link.up

    def _link(self) -> Link:
        return Link(self.address.network, self._clock, self._patience, self._on_told, self._lost)

    def _lost(self, link: Link) -> None:
        if link is self.link:
            self.link = None
            self._down.set()
