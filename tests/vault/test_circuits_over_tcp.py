"""A card network behind a socket that misbehaves: its circuit opens, one call tries it."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop

from adapters.vault_door import Unknown
from contract import relay
from tests.cluster import Cluster
from tests.vault.house import House, house
from tests.vault.merchant import Merchant, merchant
from tests.vault.networks import Hosts, hosts, misbehave
from vault.networks.behaviours import Fault
from vault.networks.breaker import OPENS_FROM_CALLS, REST_SECONDS
from vault.networks.outages import Outage

VISA, MASTERCARD = "4242424242424242", "5555555555554444"
CALLERS = 50
# Long enough that a crowd meets the probe while it is out.
LATENCY_MS = "500"
# A call is waited for this long by whoever asks; a refusal asks nobody.
GIVES_UP_SECONDS = 4.5
AT_ONCE_SECONDS = 2.5
AWAY = relay.Rejected(code="network_unavailable")
OUTAGES = {
    "refuses": Outage(refuses=True),
    "late": Outage(delay_seconds=5.0),
    **{
        fault.value: Outage(fault=fault)
        for fault in Fault
        if fault not in (Fault.TWICE, Fault.FLAPS)
    },
}


@pytest.fixture
def built(tmp_path: Path) -> Iterator[Hosts]:
    with hosts(tmp_path, LATENCY_MS) as running:
        yield running


@pytest.fixture
def served(built: Hosts, tmp_path: Path, cluster: Cluster) -> Iterator[House]:
    with house(tmp_path, cluster, addresses=built.addresses_text) as opened:
        opened.start()
        yield opened


class Caller:
    """Asks for authorisations of two saved cards and keeps what was asked."""

    def __init__(self, payer: Merchant, visa: relay.Authorise, other: relay.Authorise) -> None:
        self.payer = payer
        self.visa, self.other = visa.instrument_id, other.instrument_id
        self.asked: list[relay.Authorise] = []

    async def pay(self) -> relay.Answer | None:
        """The answer for a Visa card; None where there was none in time."""
        request = self.payer.authorise(self.visa)
        self.asked.append(request)
        try:
            return await self.payer.door.call(request, timeout_seconds=GIVES_UP_SECONDS)
        except Unknown:
            return None

    async def crowd(self, count: int) -> list[relay.Answer | None]:
        return list(await asyncio.gather(*(self.pay() for _ in range(count))))

    async def elsewhere(self) -> None:
        """Other networks are as ever."""
        answer = await self.payer.door.call(self.payer.authorise(self.other))
        assert isinstance(answer, relay.Decision) and answer.outcome == "approved"

    async def away(self) -> list[str]:
        present = await self.payer.door.call(relay.Echo(**self.payer.scope))
        assert isinstance(present, relay.Present)
        return present.networks_away


async def caller_of(payer: Merchant) -> Caller:
    cards = [payer.authorise(await payer.method(number)) for number in (VISA, MASTERCARD)]
    return Caller(payer, *cards)


@pytest.mark.parametrize("outage", OUTAGES)
def test_a_network_that(outage: str, served: House, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with merchant(served) as payer:
            caller = await caller_of(payer)
            assert await caller.crowd(1) != [None]
            misbehave(tmp_path, visa=OUTAGES[outage])
            # One was answered before: it takes one more than a bare majority needs.
            told = await caller.crowd(OPENS_FROM_CALLS + 1)
            assert all(answer in (None, AWAY) for answer in told), told
            assert await caller.away() == ["visa"]
            opened = time.monotonic()
            assert set(await caller.crowd(CALLERS)) == {AWAY}
            assert time.monotonic() - opened < AT_ONCE_SECONDS
            await caller.elsewhere()
            misbehave(tmp_path)
            await comes_back(caller, served)
            await settled(caller, served)

    uvloop.run(scenario())


async def comes_back(caller: Caller, served: House) -> None:
    """The circuit rests; then of a crowd one is let through, and after it all."""
    ends = time.monotonic() + 3 * REST_SECONDS
    while True:
        await asyncio.sleep(0.2)
        before = {line.attempt for line in served.journal()}
        told = await caller.crowd(CALLERS)
        if set(told) != {AWAY}:
            break
        assert time.monotonic() < ends, "nobody tries the network again"
    decided = [answer for answer in told if isinstance(answer, relay.Decision)]
    asked = {request.attempt_id.hex for request in caller.asked[-CALLERS:]}
    heard = {line.attempt for line in served.journal()} - before
    assert len(heard & asked) == 1
    assert [answer.outcome for answer in decided] == ["approved"]
    assert told.count(AWAY) == CALLERS - 1
    assert await caller.away() == []
    assert all(isinstance(answer, relay.Decision) for answer in await caller.crowd(CALLERS))


async def settled(caller: Caller, served: House) -> None:
    """No attempt was approved twice, and the vault knows of each what the network knows."""
    approved = [line.attempt for line in served.journal() if line.decision == "approved"]
    assert len(approved) == len(set(approved))
    for request in caller.asked:
        resolution = await caller.payer.resolve(request.attempt_id)
        assert isinstance(resolution, relay.Resolution)
        known = resolution.decision is not None
        assert known == (request.attempt_id.hex in approved), resolution


def test_double_and_slow_answers_open_nothing(served: House, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with merchant(served) as payer:
            caller = await caller_of(payer)
            for outage in (Outage(fault=Fault.TWICE), Outage(delay_seconds=1.2)):
                misbehave(tmp_path, visa=outage)
                for answer in await caller.crowd(2 * OPENS_FROM_CALLS):
                    assert isinstance(answer, relay.Decision) and answer.outcome == "approved"
                assert await caller.away() == []
            misbehave(tmp_path)
            await settled(caller, served)

    uvloop.run(scenario())
