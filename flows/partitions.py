"""Making the months' partitions ahead of time."""

from flows.house import House
from models.partitions import ensure_partitions
from runtime.database import Statement


async def make_partitions(house: House) -> None:
    """Make what is missing of this month's and the next months' partitions."""
    async with house.database.transaction() as transaction:
        for text in ensure_partitions(house.clock.now()):
            await transaction.run(Statement(text))
