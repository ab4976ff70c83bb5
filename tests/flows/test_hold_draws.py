"""How long a draw keeps others from its hold: a row that many want is not held for long."""

from pathlib import Path

import pytest

from tests.flows.test_lost_holds import HoldTill, play
from tests.flows.turns import TURN, trace_transactions
from tests.shop import Merchant, Shop

LOCK = "FOR UPDATE OF holds"
# Fewer than the runs after which a statement is prepared, and sent by its name.
DRAWS = 3


def test_a_draw_is_four_round_trips(
    shop: Shop, merchant: Merchant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tmp_path / "said"

    async def story(till: HoldTill) -> None:
        hold = (await till.hold()).resource["id"]
        with monkeypatch.context() as patch:
            trace_transactions(patch, said)
            for _ in range(DRAWS):
                await till.draw(hold, 50)
                before, lock, after = said.read_text().partition(LOCK)
                # The claim; the lock, all that is written, the commit.
                assert lock and (before.count(TURN), after.count(TURN)) == (1, 3), said.read_text()
        await till.recover()

    play(shop, merchant, story)
