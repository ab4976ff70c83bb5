"""`scripts/ledger check` on approvals of payments that have ended: given back, or named."""

import asyncio
import time
from pathlib import Path
from uuid import UUID

import pytest

from models.migrate import migrate
from scripts.bookkeeping.checking import check
from tests.cluster import Cluster
from tests.models.ledger_books import Books
from tests.scripts.test_ledger import OWNER, line

HELD = 7000
ONE_HOUR_MS = 60 * 60 * 1000
STANDS = "an approval stands while we hold it"


@pytest.fixture(scope="module")
def cancelled(cluster: Cluster) -> tuple[str, UUID]:
    """A database with a payment that was held and cancelled."""
    url = cluster.database()
    migrate(url)
    made: list[UUID] = []

    async def history(books: Books) -> None:
        payment = await books.changed(await books.authorised(HELD), status="cancelled")
        made.append(payment["id"])

    books = Books(url)
    books.merchant = OWNER
    asyncio.run(books.played(history))
    return url, made[0]


@pytest.mark.parametrize(
    ("hours", "given_back", "named"), [(9, False, [STANDS]), (9, True, []), (7, False, [])]
)
def test_an_approval_that_was_not_given_back_is_named(
    cancelled: tuple[str, UUID], tmp_path: Path, hours: int, given_back: bool, named: list[str]
) -> None:
    url, payment = cancelled
    at_ms = int(time.time() * 1000) - hours * ONE_HOUR_MS
    lines = [line(payment, "authorise", HELD, at=at_ms)]
    if given_back:
        lines.append(line(payment, "reverse", HELD, at=at_ms))
    journal = tmp_path / "journal.jsonl"
    journal.write_text("\n".join(lines) + "\n")
    assert [each.rule for each in check(url, journal).differences] == named
