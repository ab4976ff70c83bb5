"""A reversal that was begun reaches its network in the end, and once, whatever dies on the way."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
import uvloop

from adapters.vault_door import NoAnswer, Unknown
from contract import relay
from runtime.ids import uuid7
from tests.cluster import Cluster
from tests.vault.house import House, house
from tests.vault.merchant import Merchant, merchant
from tests.vault.networks import Hosts, hosts, misbehave
from vault.networks.behaviours import Fault
from vault.networks.outages import Outage

NUMBER = "4242424242424242"
REVERSED_SECONDS = 15.0
SILENT_AFTER = Outage(fault=Fault.SILENT_AFTER)
REFUSES = Outage(refuses=True)


@pytest.fixture
def built(tmp_path: Path) -> Iterator[Hosts]:
    with hosts(tmp_path) as running:
        yield running


@pytest.fixture(params=["in this process", "over TCP"])
def served(request: pytest.FixtureRequest, tmp_path: Path, cluster: Cluster) -> Iterator[House]:
    """A vault whose networks are within it, or hosts of their own."""
    addresses = ""
    if request.param == "over TCP":
        running: Hosts = request.getfixturevalue("built")
        addresses = running.addresses_text
    with house(tmp_path, cluster, addresses=addresses) as opened:
        opened.start()
        yield opened


async def approved(payer: Merchant) -> UUID:
    request = payer.authorise(await payer.token(NUMBER))
    decision = await payer.door.call(request)
    assert isinstance(decision, relay.Decision) and decision.outcome == "approved"
    return request.payment_id


def reversal(payer: Merchant, payment_id: UUID) -> relay.Reverse:
    return relay.Reverse(**payer.scope, payment_id=payment_id, attempt_id=uuid7())


async def reversed_at_last(payer: Merchant, asked: relay.Reverse) -> None:
    """Ask again under the same attempt, as a worker does, until there is an answer."""
    ends = time.monotonic() + REVERSED_SECONDS
    while time.monotonic() < ends:
        resolution = await payer.resolve(asked.attempt_id)
        assert isinstance(resolution, relay.Resolution) and resolution.state != "never_begun"
        try:
            answer = await payer.door.call(asked)
        except NoAnswer:
            answer = None
        if isinstance(answer, relay.Decision):
            assert answer.outcome == "approved"
            return
        await asyncio.sleep(0.2)
    raise AssertionError("not reversed")


async def not_reversed(payer: Merchant, asked: relay.Reverse) -> None:
    """Ask while the network is away or silent."""
    try:
        answer = await payer.door.call(asked)
    except Unknown:
        return
    assert answer == relay.Rejected(code="network_unavailable")


def lines(served: House, payment_id: UUID) -> list[tuple[str, str]]:
    return [
        (line.kind, line.decision) for line in served.journal() if line.payment == payment_id.hex
    ]


@pytest.mark.parametrize("outage", [REFUSES, SILENT_AFTER])
def test_it_is_repeated_at_the_next_process_and_done_once(served: House, outage: Outage) -> None:
    async def before() -> tuple[UUID, relay.Reverse]:
        async with merchant(served) as payer:
            payment_id = await approved(payer)
            misbehave(served.directory, visa=outage)
            asked = reversal(payer, payment_id)
            await not_reversed(payer, asked)
            return payer.id, asked

    async def after(merchant_id: UUID, asked: relay.Reverse) -> None:
        async with merchant(served) as payer:
            payer.id = merchant_id
            await reversed_at_last(payer, asked)

    merchant_id, asked = uvloop.run(before())
    served.processes[-1].kill()
    served.processes[-1].wait()
    misbehave(served.directory)
    served.start()
    uvloop.run(after(merchant_id, asked))
    wanted = [("authorise", "approved"), ("reverse", "approved")]
    assert lines(served, asked.payment_id) == wanted


def test_it_is_never_given_up(served: House) -> None:
    async def scenario() -> None:
        async with merchant(served) as payer:
            payment_id = await approved(payer)
            misbehave(served.directory, visa=REFUSES)
            await asyncio.sleep(0.2)
            asked = reversal(payer, payment_id)
            await not_reversed(payer, asked)
            with psycopg.connect(served.database_url) as connection:
                connection.execute(
                    "UPDATE attempts SET created_at = now() - interval '1 day' WHERE id = %s",
                    (asked.attempt_id,),
                )
            undecided = relay.Resolution(state="undecided")
            assert await payer.resolve(asked.attempt_id) == undecided
            misbehave(served.directory)
            await reversed_at_last(payer, asked)
            assert lines(served, payment_id)[-1] == ("reverse", "approved")

    uvloop.run(scenario())


def test_what_was_not_sent_is_withdrawn(served: House) -> None:
    async def scenario() -> None:
        async with merchant(served) as payer:
            misbehave(served.directory, visa=REFUSES)
            await asyncio.sleep(0.2)
            request = payer.authorise(await payer.token(NUMBER))
            away = relay.Rejected(code="network_unavailable")
            assert await payer.door.call(request) == away
            never = relay.Resolution(state="never_begun")
            assert await payer.resolve(request.attempt_id) == never
            misbehave(served.directory)
            assert lines(served, request.payment_id) == []

    uvloop.run(scenario())
