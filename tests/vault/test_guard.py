"""A circuit around the simulated networks: who is let through, and what counts as what."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from contract import relay
from tests.vault.networks import misbehave
from tests.vault.test_breaker import HandClock
from tests.vault.test_simulator import card, charge, networks, order
from vault.networks.behaviours import Fault
from vault.networks.breaker import OPENS_FROM_CALLS, REST_SECONDS
from vault.networks.guard import (
    INQUIRIES_AT_HALF_OPEN,
    PLACE_SECONDS,
    TOLD_SECONDS,
    CircuitOpen,
    GuardedNetworks,
)
from vault.networks.journal import Journal
from vault.networks.network import NetworkFailed
from vault.networks.outages import Outage
from vault.networks.simulator import SimulatedNetworks

SUCCEEDS, DECLINES = "4242424242424242", "4000000000000002"
SILENT, FAILS = "4000009900000012", "4000009900000095"
FAULTNET = "faultnet"
CALLERS = 50
SOON_SECONDS = 0.03
MARGIN_SECONDS = 0.5


class Desk:
    """The guarded networks, and a clock that only the breakers look at."""

    def __init__(self, directory: Path, latency: str = "0", in_time_seconds: float = 3.0) -> None:
        self.directory = directory
        self.clock = HandClock()
        self.simulated: SimulatedNetworks = networks(directory, latency)
        self.guarded = GuardedNetworks(self.simulated, self.clock, in_time_seconds)

    async def ask(self, number: str, network: str = FAULTNET) -> relay.Decision:
        return await self.guarded.authorise(order(network=network), charge(card(number)))

    async def open(self) -> None:
        while not self.guarded.away():
            with pytest.raises(NetworkFailed):
                await self.ask(FAILS)

    async def asked(self, number: str = SUCCEEDS) -> int:
        """How many of a crowd were let through to the network."""
        before = self.lines()
        ends = await asyncio.gather(
            *(self.ask(number) for _ in range(CALLERS)), return_exceptions=True
        )
        assert all(isinstance(end, CircuitOpen | relay.Decision) for end in ends), ends
        return self.lines() - before

    def lines(self) -> int:
        """How many calls the network has heard."""
        journal = Journal(self.directory / "simulator" / "journal.jsonl")
        try:
            return len(journal.news())
        finally:
            journal.close()


def play(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(story())


def test_what_is_refused_was_not_sent_and_others_are_not_disturbed(tmp_path: Path) -> None:
    async def story() -> None:
        desk = Desk(tmp_path)
        await desk.open()
        assert await desk.asked() == 0
        assert (await desk.ask(SUCCEEDS, "visa")).outcome == "approved"

    play(story)


def test_of_fifty_callers_one_is_the_probe(tmp_path: Path) -> None:
    async def story() -> None:
        desk = Desk(tmp_path, latency="20")
        await desk.open()
        desk.clock.seconds += REST_SECONDS
        assert await desk.asked() == 1
        assert desk.guarded.away() == []
        assert await desk.asked() == CALLERS

    play(story)


def test_declines_and_slow_answers_are_answers(tmp_path: Path) -> None:
    async def story() -> None:
        desk = Desk(tmp_path, latency="40-60")
        declines = [desk.ask(DECLINES) for _ in range(2 * OPENS_FROM_CALLS)]
        answers = await asyncio.gather(*declines)
        assert {answer.outcome for answer in answers} == {"declined"}
        assert desk.guarded.away() == []

    play(story)


def test_an_answer_that_comes_too_late_is_given_and_counts_as_none(tmp_path: Path) -> None:
    async def story() -> None:
        desk = Desk(tmp_path, latency="60", in_time_seconds=SOON_SECONDS)
        calls = asyncio.gather(*(desk.ask(SUCCEEDS) for _ in range(OPENS_FROM_CALLS)))
        await asyncio.sleep(1.5 * SOON_SECONDS)
        # Known before it comes: nobody waits for it any more.
        assert desk.guarded.away() == [FAULTNET]
        assert {answer.outcome for answer in await calls} == {"approved"}
        assert desk.guarded.away() == [FAULTNET]

    play(story)


def test_callers_who_go_away_in_time_do_not_open_it(tmp_path: Path) -> None:
    async def story() -> None:
        desk = Desk(tmp_path)
        tasks = [asyncio.create_task(desk.ask(SILENT)) for _ in range(CALLERS)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert desk.guarded.away() == []

    play(story)


def test_a_probe_whose_caller_goes_away_is_left_to_the_next(tmp_path: Path) -> None:
    async def story() -> None:
        desk = Desk(tmp_path)
        await desk.open()
        desk.clock.seconds += REST_SECONDS
        probe = asyncio.create_task(desk.ask(SILENT))
        await asyncio.sleep(0)
        assert await desk.asked() == 0
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        assert (await desk.ask(SUCCEEDS)).outcome == "approved"

    play(story)


def test_an_inquiry_waits_for_the_rest_and_proves_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        desk, asked = Desk(tmp_path, latency="5"), order(network=FAULTNET)
        await desk.guarded.authorise(asked, charge(card(SUCCEEDS)))
        await desk.open()
        with pytest.raises(CircuitOpen):
            await desk.guarded.inquire(FAULTNET, asked.attempt_id)
        desk.clock.seconds += REST_SECONDS
        for _ in range(CALLERS):
            assert await desk.guarded.inquire(FAULTNET, asked.attempt_id) is not None
        assert desk.guarded.away() == [FAULTNET]
        assert await desk.asked(SUCCEEDS) == 1

    play(story)


def test_what_nobody_has_tried_for_a_minute_is_not_told_any_more(tmp_path: Path) -> None:
    async def story() -> None:
        desk = Desk(tmp_path, latency="20")
        await desk.open()
        desk.clock.seconds += REST_SECONDS + TOLD_SECONDS - 1
        assert desk.guarded.away() == [FAULTNET]
        desk.clock.seconds += 2
        assert desk.guarded.away() == []
        # Told or not, one caller tries it first.
        assert await desk.asked() == 1

    play(story)


def test_few_inquire_of_a_network_that_has_not_proved_to_be_back(tmp_path: Path) -> None:
    """The others go on soon with what they do for other networks."""

    async def story() -> None:
        desk = Desk(tmp_path, latency="20")
        asked = order(network=FAULTNET)
        await desk.guarded.authorise(asked, charge(card(SUCCEEDS)))
        await desk.open()
        desk.clock.seconds += REST_SECONDS
        misbehave(tmp_path, faultnet=Outage(fault=Fault.SILENT_BEFORE))
        waiting = [
            asyncio.create_task(desk.guarded.inquire(FAULTNET, asked.attempt_id))
            for _ in range(CALLERS)
        ]
        done, left = await asyncio.wait(waiting, timeout=PLACE_SECONDS + MARGIN_SECONDS)
        assert len(left) == INQUIRIES_AT_HALF_OPEN
        assert {type(each.exception()) for each in done} == {CircuitOpen}
        for each in left:
            each.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        # Whoever goes away makes room; and one that is back answers everybody.
        misbehave(tmp_path)
        found = await asyncio.gather(
            *(desk.guarded.inquire(FAULTNET, asked.attempt_id) for _ in range(CALLERS))
        )
        assert {each.outcome for each in found if each is not None} == {"approved"}
        assert None not in found

    play(story)
