"""Work of the whole house: done by the worker that holds its named lease, and by no other."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from flows.house import House
from models.worker_leases import give_leases_back, take_lease

# Added to the pause between two turns: how late a turn may be before another worker has it.
GRACE = timedelta(seconds=30)

Turn = Callable[[], Awaitable[int]]


def alone(house: House, name: str, turn: Turn, pause_seconds: float) -> Turn:
    """`turn`, made by one worker at a time; the others answer 0 and look again after the pause."""
    lasting = timedelta(seconds=pause_seconds) + GRACE

    async def taken_turn() -> int:
        now, holder = house.clock.now(), house.settings.process_number
        async with house.database.transaction() as transaction:
            if not await take_lease(transaction, name, holder, now, now + lasting):
                return 0
        return await turn()

    return taken_turn


async def end_being_alone(house: House) -> None:
    """Let other workers have what this one did for all."""
    async with house.database.transaction() as transaction:
        await give_leases_back(transaction, house.settings.process_number)
