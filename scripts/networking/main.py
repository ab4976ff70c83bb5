"""scripts/network: the simulated Visa, Mastercard and Amex hosts, and the one of the fault cards.

Each listens on an address of its own for ISO 8583 over mutual TLS, decides by the sandbox's
cards, writes the journal that `scripts/ledger check` reads, and misbehaves as the cards and
`simulator/faults.json` say.
"""

import argparse
import asyncio
import os
import signal
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import uvloop

from runtime.clock import SystemClock
from runtime.fresh_files import keep_fresh
from runtime.log import configure, log
from runtime.private_tls import certificates, server_context
from scripts.networking.host import Host
from vault.networks.issuers import Issuers
from vault.networks.journal import Journal
from vault.networks.outages import Outages
from vault.networks.reached import DIRECTORY, JOURNAL
from vault.settings import Address, Latency, parse_addresses, parse_latency

LOOK_SECONDS: Final = 0.05
NETWORK: Final = "network"
CERTIFICATES: Final = certificates(NETWORK)
DRAIN_SECONDS: Final = 0.2


def server_tls(directory: Path) -> ssl.SSLContext:
    """Mutual TLS 1.3 with the certificates of `directory`: ca.pem, network.pem, network.key."""
    return server_context(directory, NETWORK)


class Listening:
    """The listening socket of one host, closed while its network takes no connection."""

    def __init__(self, address: Address, host: Host, outages: Outages) -> None:
        self._address = address
        self._host = host
        self._outages = outages
        self._server: asyncio.Server | None = None

    async def tend(self, tls: ssl.SSLContext) -> None:
        """Open or close, as the outages say."""
        refuses = self._outages.refuses(self._address.network)
        if refuses and self._server is not None:
            self.close()
        elif not refuses and self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(
                self._host.link, self._address.host, self._address.port, ssl=tls
            )

    def close(self) -> None:
        """Take no connection, and break those that are there."""
        self.listen_anew()
        self._host.drop_all()

    def listen_anew(self) -> None:
        """Give the socket up; the next `tend` opens another, with the certificates of then."""
        if self._server is not None:
            self._server.close()
            self._server = None


class Networks:
    """All hosts of one process, over one journal."""

    def __init__(self, directory: Path, addresses: Sequence[Address], latency: Latency) -> None:
        self._tls_directory = directory / "tls"
        self._tls = server_tls(self._tls_directory)
        self._journal = Journal(directory / DIRECTORY / JOURNAL)
        outages = Outages(directory / DIRECTORY)
        clock = SystemClock()
        names = frozenset(address.network for address in addresses)
        issuers = Issuers(self._journal, names, clock)
        self._hosts = {name: Host(name, issuers, outages, latency, clock) for name in names}
        self._listening = [
            Listening(address, self._hosts[address.network], outages) for address in addresses
        ]

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set."""
        files = [self._tls_directory / name for name in CERTIFICATES]
        fresh = asyncio.create_task(keep_fresh("network certificates", files, self._renew))
        await self._tend()
        log("networks_ready", networks=sorted(self._hosts))
        while not stop.is_set():
            await asyncio.sleep(LOOK_SECONDS)
            await self._tend()
        log("networks_stopping")
        fresh.cancel()
        for listening in self._listening:
            listening.close()
        await asyncio.sleep(DRAIN_SECONDS)
        self._journal.close()

    async def _tend(self) -> None:
        for listening in self._listening:
            await listening.tend(self._tls)
        for host in self._hosts.values():
            host.tell()

    async def _renew(self) -> None:
        """New certificates for connections to come; those that are there go on."""
        self._tls = server_tls(self._tls_directory)
        for listening in self._listening:
            listening.listen_anew()


async def _serve(directory: Path, addresses: Sequence[Address], latency: Latency) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await Networks(directory, addresses, latency).run(stop)


def main() -> int:
    """Serves until it is told to stop; what no option says, the environment does."""
    given = os.environ.get
    parser = argparse.ArgumentParser(prog="scripts/network", description=__doc__)
    parser.add_argument("--data", default=given("PAYMINT_STATE_DIR"), metavar="DIR")
    parser.add_argument("--addresses", default=given("PAYMINT_NETWORK_ADDRESSES", ""))
    parser.add_argument("--latency", default=given("PAYMINT_NETWORK_LATENCY_MS", "0"))
    choice = parser.parse_args()
    try:
        addresses = parse_addresses(choice.addresses)
        latency = parse_latency(choice.latency)
    except ValueError as reason:
        parser.error(str(reason))
    if not (choice.data and addresses):
        parser.error("needs a data directory and addresses, as visa=127.0.0.1:5001")
    configure("paymint-network")
    uvloop.run(_serve(Path(choice.data), addresses, latency))
    return 0


if __name__ == "__main__":
    sys.exit(main())
