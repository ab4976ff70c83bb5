"""The link to a network: what was sent and what was not, silence, restarts, who may connect."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
import uvloop
from prometheus_client import REGISTRY

from runtime.clock import SystemClock
from scripts.launcher.certificates import ensure_certificates
from scripts.networking.main import server_tls
from tests.cluster import free_port
from tests.vault.networks import (
    NOTICED_SECONDS,
    PATIENCE,
    Hosts,
    hosts,
    journal_of,
    misbehave,
    of,
    reversal,
    spoken_to,
)
from tests.vault.test_simulator import card, charge, order
from vault.networks.behaviours import Fault
from vault.networks.iso8583.client import Iso8583Networks, client_tls
from vault.networks.iso8583.codec import TEXT_PARTS, pack, unpack
from vault.networks.iso8583.connection import Connection
from vault.networks.iso8583.link import Link, Patience
from vault.networks.iso8583.messages import (
    APPROVED,
    AUTHORISATION,
    answer_fields,
    answer_type,
    card_fields,
    order_fields,
)
from vault.networks.network import NetworkSilent, NetworkUnreached, Order
from vault.networks.outages import Outage
from vault.settings import Address

NUMBER = "4242424242424242"
IN_FLIGHT = 50
# Together more than the kernel's buffers of a connection hold.
LARGE_MESSAGES = 900
BACK_SECONDS = 20.0
SETTLED_SECONDS = 20.0
# One that notices a dead network within seconds.
RESTLESS = Patience(answer_seconds=0.9, echo_after_seconds=0.2, missed_echoes=2)

Scenario = Callable[[Iso8583Networks], Awaitable[None]]


@pytest.fixture
def built(tmp_path: Path) -> Iterator[Hosts]:
    with hosts(tmp_path) as running:
        yield running


def play(built: Hosts, scenario: Scenario, patience: Patience = PATIENCE) -> None:
    async def run() -> None:
        async with spoken_to(built, patience) as client:
            await scenario(client)

    uvloop.run(run())


def counted(name: str, network: str) -> float:
    return REGISTRY.get_sample_value(f"{name}_total", {"network": network}) or 0.0


async def ended(asked: Awaitable[Any]) -> str:
    """How a question ends: answered, silent or unreached."""
    try:
        await asked
    except NetworkUnreached:
        return "unreached"
    except NetworkSilent:
        return "silent"
    return "answered"


async def back(client: Iso8583Networks, network: str = "visa") -> None:
    """Wait until the network answers again."""
    ends = time.monotonic() + BACK_SECONDS
    while await ended(client.echo(network)) != "answered":
        assert time.monotonic() < ends, "the network does not come back"
        await asyncio.sleep(0.02)


def test_what_was_not_sent_is_never_decided(built: Hosts) -> None:
    """900 large messages to a stopped host: some have left, of the others it is certain."""
    assert built.process is not None
    orders = [order() for _ in range(LARGE_MESSAGES)]
    padding = dict.fromkeys(TEXT_PARTS, "x" * 999)
    outcomes: list[str] = []

    async def scenario(client: Iso8583Networks) -> None:
        link = link_of(client)
        os.kill(built.process.pid, signal.SIGSTOP)  # type: ignore[union-attr]

        async def ask(asked: Order) -> str:
            fields = order_fields(asked) | card_fields(card(NUMBER), None) | padding
            return await ended(link.ask(AUTHORISATION, fields))

        outcomes.extend(await asyncio.gather(*(ask(asked) for asked in orders)))
        os.kill(built.process.pid, signal.SIGCONT)  # type: ignore[union-attr]
        await back(client)
        left = {
            asked.attempt_id.hex
            for asked, outcome in zip(orders, outcomes, strict=True)
            if outcome == "silent"
        }
        await come_to(lambda: decided_by(built) >= left)
        assert decided_by(built) == left

    play(built, scenario)
    assert outcomes.count("silent") > 0
    assert outcomes.count("unreached") > LARGE_MESSAGES // 4
    assert outcomes.count("answered") == 0


def decided_by(built: Hosts) -> set[str]:
    """The attempts that the networks have decided."""
    return {line.attempt for line in journal_of(built.directory)}


async def come_to(look: Callable[[], bool]) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(SETTLED_SECONDS):
        while not look():
            await asyncio.sleep(0.02)


def link_of(client: Iso8583Networks, network: str = "visa") -> Link:
    [connection] = [each for each in connections(client) if each.address.network == network]
    assert connection.link is not None
    return connection.link


def connections(client: Iso8583Networks) -> list[Connection]:
    return client._connections


def test_a_killed_host_leaves_unknowns_that_it_knows_after_its_restart(built: Hosts) -> None:
    orders = [order() for _ in range(IN_FLIGHT)]

    async def scenario(client: Iso8583Networks) -> None:
        misbehave(built.directory, visa=Outage(delay_seconds=30.0))
        asked = [
            asyncio.create_task(ended(client.authorise(each, charge(card(NUMBER)))))
            for each in orders
        ]
        await come_to(lambda: len(decided_by(built)) == IN_FLIGHT)
        built.kill()
        assert set(await asyncio.gather(*asked)) == {"silent"}
        began = time.monotonic()
        assert await ended(client.authorise(order(), charge(card(NUMBER)))) == "unreached"
        assert time.monotonic() - began < PATIENCE.answer_seconds
        misbehave(built.directory)
        await asyncio.to_thread(built.start)
        await back(client)
        for each in orders:
            found = await client.inquire("visa", each.attempt_id)
            assert found is not None and found.outcome == "approved"

    play(built, scenario)
    assert len(journal_of(built.directory)) == IN_FLIGHT


def test_a_dead_host_is_noticed_by_its_missing_echoes(built: Hosts) -> None:
    assert built.process is not None
    process = built.process.pid

    async def scenario(client: Iso8583Networks) -> None:
        # A healthy one that nobody asks for anything is not taken for dead.
        await asyncio.sleep(1.0)
        first = link_of(client)
        assert first.up
        os.kill(process, signal.SIGSTOP)
        await come_to(lambda: not first.up)
        assert await ended(client.echo("visa")) == "unreached"
        os.kill(process, signal.SIGCONT)
        await back(client)

    play(built, scenario, RESTLESS)


@pytest.mark.parametrize("fault", [Fault.TWICE, None])
def test_answers_that_come_twice_or_late_are_dropped_and_counted(
    built: Hosts, fault: Fault | None
) -> None:
    name = "paymint_network_unmatched_answers"

    async def scenario(client: Iso8583Networks) -> None:
        before = counted(name, "visa")
        misbehave(built.directory, visa=Outage(fault=fault, delay_seconds=0 if fault else 1.5))
        outcome = await ended(client.authorise(order(), charge(card(NUMBER))))
        assert outcome == ("answered" if fault else "silent")
        await come_to(lambda: counted(name, "visa") == before + 1)
        assert link_of(client).up

    play(built, scenario)


@pytest.mark.parametrize("fault", [Fault.OTHER_AMOUNT, Fault.MALFORMED])
def test_answers_that_cannot_be_believed_are_counted(built: Hosts, fault: Fault) -> None:
    name = "paymint_network_unbelieved_answers"

    async def scenario(client: Iso8583Networks) -> None:
        before = counted(name, "visa")
        misbehave(built.directory, visa=Outage(fault=fault))
        assert await ended(client.authorise(order(), charge(card(NUMBER)))) == "silent"
        assert counted(name, "visa") == before + 1
        misbehave(built.directory)
        assert await ended(client.authorise(order(), charge(card(NUMBER)))) == "answered"

    play(built, scenario)


def test_an_approval_is_found_by_the_message_that_asked_for_it(built: Hosts) -> None:
    async def scenario(client: Iso8583Networks) -> None:
        first = order()
        approval = await client.authorise(first, charge(card(NUMBER)))
        assert approval.trace is not None and approval.trace.startswith("0100")
        assert journal_of(built.directory)[-1].trace == approval.trace
        other = msgspec.structs.replace(approval, trace="0100" + "9" * 16)
        assert await ended(client.reverse(reversal(first), other)) == "silent"
        # One that was approved before networks were spoken to in messages has none.
        before = msgspec.structs.replace(approval, trace=None)
        assert (await client.capture(of(first), before)).outcome == "approved"
        kinds = [line.kind for line in journal_of(built.directory)]
        assert kinds == ["authorise", "capture"]

    play(built, scenario)


@pytest.mark.parametrize(("repeated", "mti"), [(False, "0400"), (True, "0401")])
def test_a_reversal_that_is_repeated_says_so(built: Hosts, repeated: bool, mti: str) -> None:
    async def scenario(client: Iso8583Networks) -> None:
        first = order()
        approval = await client.authorise(first, charge(card(NUMBER)))
        decision = await client.reverse(reversal(first, repeated=repeated), approval)
        assert decision.outcome == "approved"
        trace = journal_of(built.directory)[-1].trace
        assert trace is not None and trace.startswith(mti)

    play(built, scenario)


def test_nobody_but_the_vault_is_let_in(built: Hosts) -> None:
    tls_directory = built.directory / "tls"
    tls = client_tls(tls_directory)
    tls.load_cert_chain(tls_directory / "api.pem", tls_directory / "api.key")

    async def scenario() -> None:
        client = Iso8583Networks(built.addresses, tls, SystemClock(), PATIENCE)
        for connection in connections(client):
            connection.start()
        try:
            await asyncio.sleep(1.0)
            assert await ended(client.echo("visa")) == "unreached"
        finally:
            await client.close()

    uvloop.run(scenario())


def test_a_host_stops_and_starts_in_good_order(built: Hosts) -> None:
    async def scenario(client: Iso8583Networks) -> None:
        assert await asyncio.to_thread(built.stop) == 0
        assert await ended(client.echo("visa")) == "unreached"
        await asyncio.to_thread(built.start)
        await back(client)
        await asyncio.sleep(NOTICED_SECONDS)
        assert link_of(client).up

    play(built, scenario)


class OutOfStep(asyncio.Protocol):
    """A network whose second answer is one byte longer than it says."""

    def __init__(self) -> None:
        self._rest = b""
        self._answers = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while self._rest:
            end = 2 + int.from_bytes(self._rest[:2])
            asked, self._rest = unpack(self._rest[2:end]), self._rest[end:]
            answer = pack(answer_type(asked.mti), answer_fields(asked, APPROVED))
            self._answers += 1
            length = len(answer) - (self._answers == 2)
            self._transport.write(length.to_bytes(2) + answer)


def test_a_stream_that_is_out_of_step_is_ended() -> None:
    """Where the next message begins is not known any more: a new connection knows it."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        lost: asyncio.Future[Link] = loop.create_future()
        asked: list[asyncio.Task[str]] = []
        server = await loop.create_server(OutOfStep, "127.0.0.1", free_port())
        host, port = server.sockets[0].getsockname()
        _, link = await loop.create_connection(
            lambda: Link("visa", SystemClock(), Patience(), lambda *_: None, lost.set_result),
            host,
            port,
        )
        await link.sign_on()
        for _ in range(3):
            asked.append(asyncio.create_task(ended(link.echo())))
            await asyncio.sleep(0.1)
        async with asyncio.timeout(SETTLED_SECONDS):
            assert await lost is link
        assert "answered" not in await asyncio.gather(*asked)
        server.close()

    uvloop.run(scenario())


class Dropping(OutOfStep):
    """A network that takes a sign-on and ends the connection."""

    times = 0

    def data_received(self, data: bytes) -> None:
        type(self).times += 1
        super().data_received(data)
        self._transport.close()


def test_a_network_that_drops_whom_it_took_in_is_left_in_peace(tmp_path: Path) -> None:
    ensure_certificates(tmp_path, datetime.now(UTC))
    address = Address("visa", "127.0.0.1", free_port())

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        tls = server_tls(tmp_path)
        server = await loop.create_server(Dropping, address.host, address.port, ssl=tls)
        client = Iso8583Networks([address], client_tls(tmp_path), SystemClock(), PATIENCE)
        for connection in connections(client):
            connection.start()
        await asyncio.sleep(2.0)
        await client.close()
        server.close()

    uvloop.run(scenario())
    # 20 ms, 40 ms, ... 1 s, each shortened by half at most.
    assert 3 <= Dropping.times <= 12
