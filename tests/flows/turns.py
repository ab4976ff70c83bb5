"""Counting the round trips that a transaction makes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runtime.database import Database, Transaction

# What the server says at the end of each round trip.
TURN = "ReadyForQuery"


def trace_transactions(patch: pytest.MonkeyPatch, said: Path) -> None:
    """From now on `said` has all that was said in the last transaction."""
    transacting = Database.transaction

    @asynccontextmanager
    async def traced(database: Database) -> AsyncIterator[Transaction]:
        with said.open("w") as file:
            async with transacting(database) as transaction:
                connection = transaction._connection.pgconn
                connection.trace(file.fileno())
                yield transaction
            connection.untrace()

    patch.setattr(Database, "transaction", traced)
