"""Making the months' partitions ahead of time, and seeing what no month has caught."""

from prometheus_client import Gauge

from flows.house import House
from models.partitions import ensure_partitions
from models.retention import misplaced_rows
from runtime.database import Statement
from runtime.log import log

_MISPLACED = Gauge(
    "paymint_rows_in_default_partition", "Rows that no month has caught, to 10000", ["table"]
)


async def make_partitions(house: House) -> int:
    """Make what is missing of this month's and the next months' partitions; 0.

    Rows in a default partition are told of first: they keep their month from being made
    (docs/decisions/0006-monthly-partitions-by-uuidv7.md).
    """
    async with house.database.reading() as transaction:
        misplaced = await misplaced_rows(transaction)
    for table, count in misplaced.items():
        _MISPLACED.labels(table).set(count)
        if count:
            log("rows_in_default_partition", table=table, count=count)
    async with house.database.transaction() as transaction:
        for text in ensure_partitions(house.clock.now()):
            await transaction.run(Statement(text))
    return 0
