"""How long a draw keeps others from its hold: a row that many want is not held for long."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runtime.database import Database, Transaction
from tests.flows.test_lost_holds import HoldTill, play
from tests.shop import Merchant, Shop

# What the server says at the end of each round trip.
TURN = "ReadyForQuery"
LOCK = "FOR UPDATE OF holds"
# Fewer than the runs after which a statement is prepared, and sent by its name.
DRAWS = 3


def test_a_draw_is_four_round_trips(
    shop: Shop, merchant: Merchant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tmp_path / "said"
    transacting = Database.transaction

    @asynccontextmanager
    async def traced(database: Database) -> AsyncIterator[Transaction]:
        with said.open("w") as file:
            async with transacting(database) as transaction:
                connection = transaction._connection.pgconn
                connection.trace(file.fileno())
                yield transaction
            connection.untrace()

    async def story(till: HoldTill) -> None:
        hold = (await till.hold()).resource["id"]
        with monkeypatch.context() as patch:
            patch.setattr(Database, "transaction", traced)
            for _ in range(DRAWS):
                await till.draw(hold, 50)
                before, lock, after = said.read_text().partition(LOCK)
                # The claim; the lock, all that is written, the commit.
                assert lock and (before.count(TURN), after.count(TURN)) == (1, 3), said.read_text()
        await till.recover()

    play(shop, merchant, story)
