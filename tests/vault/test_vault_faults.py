"""The vault killed, stopped and replaced under load: is every certain outcome true?

The simulated networks' journal is the truth about what was put to a network, the vault's
attempts are its own account, and the callers' outcomes are what the main house believes.
"""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import pytest
import uvloop

from adapters.vault_door import NoAnswer, NotBegun, Refused, Unknown, Unsent
from contract import relay
from runtime.clock import SystemClock
from tests.cluster import Cluster
from tests.vault.house import House, house
from tests.vault.merchant import Merchant, merchant

CALLS_PER_SECOND = 150
TIMEOUT_SECONDS = 3.0
LATENCY_MS = "20-60"
# Clock reading and frame are not one moment, on a busy machine by more than usual.
SLACK_MS = 100


class Outcome(NamedTuple):
    """What one caller was told about its attempt, and until when it would wait."""

    attempt_id: UUID
    deadline_ms: int
    told: relay.Answer | NoAnswer


@pytest.fixture
def running(tmp_path: Path, cluster: Cluster) -> Iterator[House]:
    with house(tmp_path, cluster, LATENCY_MS) as built:
        built.start()
        yield built


class Load:
    """Calls at a steady rate, each a payment of its own."""

    def __init__(self, payer: Merchant, method_id: UUID) -> None:
        self._payer = payer
        self._method_id = method_id
        self._calls: list[asyncio.Task[Outcome]] = []
        self._clock = SystemClock()

    async def drive(self) -> None:
        while True:
            self._calls.append(asyncio.create_task(self._call()))
            await asyncio.sleep(1 / CALLS_PER_SECOND)

    async def outcomes(self) -> list[Outcome]:
        return list(await asyncio.gather(*self._calls))

    async def _call(self) -> Outcome:
        request = self._payer.authorise(self._method_id)
        deadline_ms = self._clock.unix_ms() + int(TIMEOUT_SECONDS * 1000)
        try:
            told: relay.Answer | NoAnswer = await self._payer.door.call(request, TIMEOUT_SECONDS)
        except NoAnswer as outcome:
            told = outcome
        return Outcome(request.attempt_id, deadline_ms, told)


@asynccontextmanager
async def load(payer: Merchant) -> AsyncIterator[Load]:
    driven = Load(payer, await payer.method())
    task = asyncio.create_task(driven.drive())
    try:
        yield driven
    finally:
        task.cancel()


def compare(running: House, outcomes: list[Outcome], stops: int = 0) -> Counter[str]:
    """Hold what callers were told against the journal and the attempts.

    A process does one thing at a time: where it is stopped, one call at most stands between
    its look at the deadline and the network, and goes there when the process goes on.
    """
    asked = Counter(line.attempt for line in running.journal())
    decided_at = {line.attempt: line.at for line in running.journal()}
    states = {row[0]: row[1] for row in running.rows("SELECT id, state FROM attempts")}
    counted: Counter[str] = Counter()
    late = 0
    for outcome in outcomes:
        name = outcome.attempt_id.hex
        counted[type(outcome.told).__name__] += 1
        assert asked[name] <= 1, "an attempt was put to the network twice"
        if isinstance(outcome.told, NotBegun):
            assert asked[name] == 0, "a certain refusal was put to the network"
        if isinstance(outcome.told, relay.Decision):
            assert asked[name] == 1
            assert states[outcome.attempt_id] == "decided"
        if name in decided_at:
            assert states[outcome.attempt_id] in ("begun", "decided"), "asked without a record"
            late += decided_at[name] > outcome.deadline_ms + SLACK_MS
    assert late <= stops, "begun after its deadline"
    return counted


async def resolved_agree(payer: Merchant, running: House, outcomes: list[Outcome]) -> None:
    """What `resolve` says of the unknown ones is what the journal says."""
    asked = {line.attempt for line in running.journal()}
    for outcome in outcomes:
        if not isinstance(outcome.told, Unknown):
            continue
        answer = await payer.resolve(outcome.attempt_id)
        assert isinstance(answer, relay.Resolution)
        if outcome.attempt_id.hex in asked:
            assert answer.state == "decided" and answer.decision is not None
            assert answer.decision.outcome == "approved"
        else:
            assert answer.state in ("never_begun", "undecided")


def test_killed_under_load(running: House) -> None:
    async def scenario() -> None:
        async with merchant(running) as payer:
            async with load(payer) as calls:
                await asyncio.sleep(1.0)
                running.processes[0].kill()
                await asyncio.sleep(0.3)
                await asyncio.to_thread(running.start)
                await asyncio.sleep(0.7)
            outcomes = await calls.outcomes()
            counted = compare(running, outcomes)
            assert counted["Decision"] > CALLS_PER_SECOND / 2
            assert counted["Unknown"] > 0 and counted["Unsent"] > 0
            await resolved_agree(payer, running, outcomes)

    uvloop.run(scenario())


def test_stopped_for_five_seconds(running: House) -> None:
    async def scenario() -> None:
        async with merchant(running) as payer:
            async with load(payer) as calls:
                await asyncio.sleep(0.7)
                running.processes[0].send_signal(signal.SIGSTOP)
                await asyncio.sleep(5.0)
                running.processes[0].send_signal(signal.SIGCONT)
                await asyncio.sleep(1.0)
            outcomes = await calls.outcomes()
            counted = compare(running, outcomes, stops=1)
            assert counted["Unknown"] > 0 and counted["Unsent"] > 0
            last = outcomes[-20:]
            assert all(isinstance(outcome.told, relay.Decision) for outcome in last)
            await resolved_agree(payer, running, outcomes)

    uvloop.run(scenario())


def test_rolling_restart_loses_nothing(running: House) -> None:
    async def scenario() -> None:
        async with merchant(running) as payer:
            async with load(payer) as calls:
                await asyncio.sleep(0.5)
                await asyncio.to_thread(running.start)
                status = await asyncio.to_thread(running.stop, running.processes[0])
                assert status == 0
                await asyncio.sleep(0.5)
            outcomes = await calls.outcomes()
            counted = compare(running, outcomes)
            assert set(counted) == {"Decision"}, counted

    uvloop.run(scenario())


def test_terminated_vault_finishes_what_it_began(running: House) -> None:
    async def scenario() -> None:
        async with merchant(running) as payer:
            async with load(payer) as calls:
                await asyncio.sleep(0.5)
                assert await asyncio.to_thread(running.stop, running.processes[0]) == 0
                await asyncio.sleep(0.1)
            counted = compare(running, await calls.outcomes())
            assert counted["Unknown"] == 0, counted
            assert set(counted) <= {"Decision", Unsent.__name__, Refused.__name__}

    uvloop.run(scenario())


def test_a_stopped_vault_does_not_fill_the_callers_memory(running: House) -> None:
    """2,000 calls of 8 kB: half are turned away, what left is unknown, the rest is certain."""

    async def scenario() -> None:
        async with merchant(running) as payer:
            echo = relay.Echo(**(payer.scope | {"request_id": "x" * 8000}))
            await payer.door.call(echo)
            running.processes[0].send_signal(signal.SIGSTOP)
            calls = [payer.door.call(echo, timeout_seconds=2.5) for _ in range(2000)]
            ends = await asyncio.gather(*calls, return_exceptions=True)
            running.processes[0].send_signal(signal.SIGCONT)
            counted = Counter(str(end) for end in ends)
            assert counted["too many waiting"] == 1000
            assert counted["timed out"] + counted["congested"] == 1000
            # Only what the kernel and one slice took has left.
            assert counted["congested"] > 0
            await asyncio.sleep(1.5)
            assert await payer.door.call(echo) == relay.Present(networks_away=[])

    uvloop.run(scenario())
