"""Leases: taken by one, given back by the holder alone, taken over when they have run out."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import uvloop

from flows.alone import GRACE, alone, end_being_alone
from flows.house import House
from flows.refund_settlement import give_back_refunds, lease_due_refunds
from tests.workers.house import Bench, Place, bench
from tests.workers.test_refunds import captured_payment, refund_of
from workers.crew import Crew

PAUSE_SECONDS = 60.0


def played(place: Place, scenario: Callable[[Bench], Awaitable[None]]) -> None:
    async def run() -> None:
        async with bench(place) as built:
            await scenario(built)

    uvloop.run(run())


def numbered(house: House, number: int) -> House:
    """The same house as another process has it."""
    return replace(house, settings=replace(house.settings, process_number=number))


def test_one_of_many_does_what_is_done_for_all(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        done: list[int] = []

        def worker(number: int) -> Callable[[], Awaitable[int]]:
            async def turn() -> int:
                done.append(number)
                return 1

            return alone(numbered(built.house, number), "sealing", turn, PAUSE_SECONDS)

        built.clock.stop()
        workers = [worker(number) for number in (1, 2, 3)]
        assert sorted(await asyncio.gather(*(turn() for turn in workers))) == [0, 0, 1]
        (holder,) = done
        others = [number for number in (1, 2, 3) if number != holder]
        built.clock.advance(timedelta(seconds=PAUSE_SECONDS) + GRACE - timedelta(milliseconds=1))
        assert await workers[others[0] - 1]() == 0, "not before its end"
        assert await workers[holder - 1]() == 1, "the holder prolongs it"
        built.clock.advance(timedelta(seconds=PAUSE_SECONDS) + GRACE)
        assert await workers[others[0] - 1]() == 1, "one that is lost is replaced"
        assert await workers[holder - 1]() == 0
        await end_being_alone(numbered(built.house, holder))
        assert await workers[holder - 1]() == 0, "it gives back only what it holds"
        await end_being_alone(numbered(built.house, others[0]))
        assert await workers[others[1] - 1]() == 1, "one that stops is replaced at once"

    played(place, scenario)


def test_refunds_are_given_back_by_their_holder_alone(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        await refund_of(built, await captured_payment(built, 100), 100)
        built.clock.stop()
        (first,) = await lease_due_refunds(built.house, 10)
        assert await lease_due_refunds(built.house, 10) == []
        await give_back_refunds(built.house, [first])
        built.clock.advance(timedelta(milliseconds=1))
        (second,) = await lease_due_refunds(built.house, 10)
        await give_back_refunds(built.house, [first])
        assert await lease_due_refunds(built.house, 10) == [], "the lease was the second's"
        assert second["leased_until"] > first["leased_until"]

    played(place, scenario)


def test_a_crew_tells_what_it_did_not_end() -> None:
    async def scenario() -> None:
        crew: Crew[str] = Crew("test", 4)
        ended: list[str] = []

        async def works(seconds: float) -> None:
            await asyncio.sleep(seconds)

        crew.start("quick", works(0.01), lambda: ended.append("quick"))
        crew.start("slow", works(60.0), lambda: ended.append("slow"))
        assert crew.free == 2
        assert await crew.finish(1.0) == ["slow"]
        assert (sorted(ended), crew.free) == (["quick", "slow"], 4)

    uvloop.run(scenario())
