"""`scripts/ledger check` on chargebacks: named where a side lacks one, counted where one waits."""

import asyncio
import time
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid5

import pytest

from models.migrate import migrate
from runtime.database import Row
from scripts.bookkeeping.checking import Report, check
from tests.cluster import Cluster
from tests.models.ledger_books import Books
from tests.scripts.test_ledger import OWNER, line

WAITING = "chargebacks waiting for refunds or captures"
MADE, LATER = "0", "1"
ONE_HOUR_MS = 60 * 60 * 1000


class Kept(NamedTuple):
    """A database with a sale of 10000 of which 1000 are in dispute, a sale of 10000 with a
    refund of 4000 that is under way, one that was refunded whole, and one that is held."""

    url: str
    disputed: UUID
    refunding: UUID
    refunded: UUID
    held: UUID


@pytest.fixture(scope="module")
def kept(cluster: Cluster) -> Kept:
    url = cluster.database()
    migrate(url)
    made: list[Row] = []

    async def history(books: Books) -> None:
        disputed, refunding, refunded = [await books.captured(10000) for _ in range(3)]
        await books.disputed(disputed, 1000)
        await books.refunded(refunding, 4000)
        await books.settled(*await books.refunded(refunded, 10000), "succeeded")
        made.extend([disputed, refunding, refunded, await books.authorised(7000)])

    books = Books(url)
    books.merchant = OWNER
    asyncio.run(books.played(history))
    return Kept(url, *(row["id"] for row in made))


def chargeback(payment: UUID, amount: int, name: str = MADE, at_ms: int = 1) -> str:
    return line(payment, "chargeback", amount, attempt=uuid5(payment, name).hex, at=at_ms)


def told(kept: Kept, journal: Path, *chargebacks: str) -> Report:
    """The check beside a journal that differs in chargebacks at most."""
    sales = [line(each, "sale", 10000) for each in (kept.disputed, kept.refunding, kept.refunded)]
    rest = [line(kept.refunded, "refund", 10000), line(kept.held, "authorise", 7000)]
    journal.write_text("\n".join([*sales, *rest, *chargebacks]) + "\n")
    return check(kept.url, journal)


def named(report: Report) -> list[tuple[str, str, str]]:
    return [(each.rule, each.expected, each.found) for each in report.differences]


def test_equal_books_agree(kept: Kept, tmp_path: Path) -> None:
    report = told(kept, tmp_path / "journal", chargeback(kept.disputed, 1000))
    assert named(report) == []
    assert report.figures[WAITING] == 0


def test_a_dispute_that_no_network_knows_of_is_named(kept: Kept, tmp_path: Path) -> None:
    name = uuid5(kept.disputed, MADE).hex
    # Another chargeback of the same amount is no reason for this dispute.
    for others in ([], [chargeback(kept.disputed, 1000, LATER)]):
        (found, *_) = named(told(kept, tmp_path / "journal", *others))
        assert found == ("the networks charged it back", f"1000 of {name}", "0")


def test_a_chargeback_that_was_never_recorded_is_named(kept: Kept, tmp_path: Path) -> None:
    name = uuid5(kept.disputed, LATER).hex
    lines = [chargeback(kept.disputed, 1000), chargeback(kept.disputed, 500, LATER)]
    report = told(kept, tmp_path / "journal", *lines)
    assert named(report) == [("chargebacks are recorded", f"500 of {name}", "no dispute")]
    assert report.differences[0].place == f"payment {kept.disputed}"


def test_a_dispute_that_was_cut_for_nothing_is_named(kept: Kept, tmp_path: Path) -> None:
    name = uuid5(kept.disputed, MADE).hex
    report = told(kept, tmp_path / "journal", chargeback(kept.disputed, 1001))
    assert named(report) == [("disputes are what was charged back", f"1001 of {name}", "1000")]


def test_what_waits_for_refunds_or_captures_is_counted(kept: Kept, tmp_path: Path) -> None:
    lines = [
        chargeback(kept.disputed, 1000),
        chargeback(kept.refunding, 6001),
        chargeback(kept.held, 7000),
    ]
    report = told(kept, tmp_path / "journal", *lines)
    assert named(report) == []
    assert report.figures[WAITING] == 2
    # This one hangs on no refund: enough is left.
    lines[1] = chargeback(kept.refunding, 6000)
    report = told(kept, tmp_path / "journal", *lines)
    assert [each.rule for each in report.differences] == ["chargebacks are recorded"]
    assert report.figures[WAITING] == 1


def test_one_that_may_be_on_its_way_is_not_named(kept: Kept, tmp_path: Path) -> None:
    now_ms = int(time.time() * 1000)
    for age_ms, found in ((0, []), (ONE_HOUR_MS, []), (3 * ONE_HOUR_MS, [kept.disputed])):
        late = chargeback(kept.disputed, 500, LATER, now_ms - age_ms)
        report = told(kept, tmp_path / "journal", chargeback(kept.disputed, 1000), late)
        assert [each.place for each in report.differences] == [f"payment {each}" for each in found]


def test_nothing_was_left_of_what_was_refunded(kept: Kept, tmp_path: Path) -> None:
    lines = [chargeback(kept.disputed, 1000), chargeback(kept.refunded, 10000)]
    assert named(told(kept, tmp_path / "journal", *lines)) == []
