"""Both kinds of card network behind one interface: in this process, and as hosts over TCP."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import uvloop

from contract import relay
from runtime.clock import SystemClock
from scripts.launcher.certificates import ensure_certificates
from tests.cluster import free_port
from tests.vault.test_simulator import card, charge, order
from vault.networks.behaviours import CARD_NETWORKS
from vault.networks.iso8583.client import Iso8583Networks, client_tls
from vault.networks.iso8583.link import Patience
from vault.networks.issuers import Issuers
from vault.networks.journal import Journal, Line
from vault.networks.network import Network, NetworkSilent, NetworkUnreached, Order
from vault.networks.outages import FILE_NAME, Outage, Outages
from vault.networks.reached import DIRECTORY, JOURNAL
from vault.networks.simulator import SimulatedNetworks
from vault.settings import Address, parse_latency

ROOT = Path(__file__).parent.parent.parent
READY_SECONDS = 60.0
# Tests wait for what real networks are given 3 s for; an answer comes within this on a machine
# that is busy, too.
PATIENCE = Patience(answer_seconds=0.9, echo_after_seconds=30.0)
NOTICED_SECONDS = 0.2
SUCCEEDS = "4242424242424242"

Scenario = Callable[[Network], Awaitable[None]]


class Hosts:
    """The networks of `scripts/network` in a process of their own, over one state directory."""

    def __init__(self, directory: Path, latency: str = "0") -> None:
        self.directory = directory
        self.latency = latency
        self.addresses = tuple(Address(name, "127.0.0.1", free_port()) for name in CARD_NETWORKS)
        (directory / "tls").mkdir(mode=0o700, exist_ok=True)
        ensure_certificates(directory / "tls", datetime.now(UTC))
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def addresses_text(self) -> str:
        return ",".join(f"{network}={host}:{port}" for network, host, port in self.addresses)

    @property
    def log_path(self) -> Path:
        return self.directory / "network.log"

    def start(self) -> None:
        lines_before = self._ready_lines()
        with self.log_path.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "scripts" / "paymint-network")],
                stdout=output,
                stderr=output,
                env={
                    **os.environ,
                    "PYTHONPATH": str(ROOT),
                    "PAYMINT_STATE_DIR": str(self.directory),
                    "PAYMINT_NETWORK_ADDRESSES": self.addresses_text,
                    "PAYMINT_NETWORK_LATENCY_MS": self.latency,
                },
            )
        ends = time.monotonic() + READY_SECONDS
        while self._ready_lines() == lines_before:
            if self.process.poll() is not None or time.monotonic() > ends:
                raise RuntimeError(self.log_path.read_text())
            time.sleep(0.02)

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(READY_SECONDS)

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def _ready_lines(self) -> int:
        if not self.log_path.exists():
            return 0
        return self.log_path.read_bytes().count(b'"networks_ready"')


@contextmanager
def hosts(directory: Path, latency: str = "0") -> Iterator[Hosts]:
    """Running hosts, ended at the end."""
    built = Hosts(directory, latency)
    try:
        built.start()
        yield built
    finally:
        built.end()


@asynccontextmanager
async def spoken_to(built: Hosts, patience: Patience = PATIENCE) -> AsyncIterator[Iso8583Networks]:
    """A client of these hosts, connected."""
    tls = client_tls(built.directory / "tls")
    client = Iso8583Networks(built.addresses, tls, SystemClock(), patience)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def simulated(directory: Path, latency: str = "0") -> AsyncIterator[Network]:
    """The card networks in this process."""
    simulator = directory / DIRECTORY
    journal = Journal(simulator / JOURNAL)
    issuers = Issuers(journal, frozenset(CARD_NETWORKS), SystemClock())
    try:
        yield SimulatedNetworks(issuers, parse_latency(latency), Outages(simulator))
    finally:
        journal.close()


def misbehave(directory: Path, **networks: Outage) -> None:
    """Have these networks misbehave, and all others well; noticed within a moment."""
    path = directory / DIRECTORY / FILE_NAME
    fresh = path.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(networks))
    fresh.replace(path)
    time.sleep(NOTICED_SECONDS)


def journal_of(directory: Path) -> list[Line]:
    """Everything the networks have decided."""
    journal = Journal(directory / DIRECTORY / JOURNAL)
    try:
        return journal.news()
    finally:
        journal.close()


class Kind:
    """How a test opens the networks, and where they keep their books."""

    def __init__(self, directory: Path, built: Hosts | None) -> None:
        self.directory = directory
        self._built = built

    def play(self, scenario: Scenario, patience: Patience = PATIENCE) -> None:
        async def run() -> None:
            opened: AbstractAsyncContextManager[Network] = (
                simulated(self.directory)
                if self._built is None
                else spoken_to(self._built, patience)
            )
            async with opened as network:
                await scenario(network)

        uvloop.run(run())

    def misbehave(self, **networks: Outage) -> None:
        misbehave(self.directory, **networks)

    def lines(self, payment_id: UUID) -> list[tuple[str, str]]:
        """(kind, decision) of what the networks decided of a payment."""
        lines = journal_of(self.directory)
        return [(line.kind, line.decision) for line in lines if line.payment == payment_id.hex]


async def answered(asked: Awaitable[relay.Decision]) -> relay.Decision:
    """The answer, waited for as long as the vault waits, on the scale of these tests."""
    try:
        async with asyncio.timeout(PATIENCE.answer_seconds + 0.2):
            return await asked
    except TimeoutError:
        raise NetworkSilent from None


def of(first: Order, **fields: Any) -> Order:
    """Another order about the same payment."""
    same = {"payment_id": first.payment_id, "merchant_id": first.merchant_id}
    return order(**(same | {"network": first.network} | fields))


def reversal(first: Order, **fields: Any) -> Order:
    return of(first, amount=0, currency="", **fields)


async def approved(
    network: Network, number: str = SUCCEEDS, **fields: Any
) -> tuple[Order, relay.Decision]:
    first = order(**fields)
    decision = await network.authorise(first, charge(card(number)))
    assert decision.outcome == "approved"
    return first, decision


async def inquired(network: Network, asked: Order) -> relay.Decision | None:
    """What an inquiry says, once a connection that was reset is there again."""
    for _ in range(50):
        try:
            return await network.inquire(asked.network, asked.attempt_id)
        except NetworkUnreached:
            await asyncio.sleep(0.05)
    raise AssertionError("the network does not come back")
