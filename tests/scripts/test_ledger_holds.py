"""`scripts/ledger check` on holds: every rule of theirs is broken once, and named."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import psycopg
import pytest

from models.migrate import migrate
from runtime.database import Row
from scripts.bookkeeping.checking import check
from tests.cluster import Cluster
from tests.models.hold_books import HoldBooks
from tests.models.ledger_books import Books

# Whose money all of this is; in the journal as 32 zeros.
OWNER = UUID(int=0)
TAMPERED = {
    "holds carry their draws": "UPDATE holds SET amount_drawn = amount_drawn - 1"
    " WHERE status = 'active'",
    "draws are payments of their holds": "UPDATE payments SET hold_id = id"
    " WHERE hold_id IS NOT NULL",
}
# What else may be done to a hold, found by rules that are tampered with elsewhere, too.
TAMPERED_TOO = (
    "UPDATE hold_top_ups SET status = 'failed' WHERE status = 'succeeded'",
    "UPDATE hold_draws SET amount = amount + 1",
    "UPDATE hold_draws SET lost_at = now()",
    "UPDATE holds SET status = 'active', closed_at = NULL, end_at = now(), amount_released = 0"
    " WHERE status = 'released'",
    "UPDATE holds SET amount_drawn = amount_drawn + 1, amount_released = amount_released - 1"
    " WHERE status = 'released'",
    "UPDATE holds SET amount = amount + 1, amount_authorized = amount_authorized + 1"
    " WHERE status = 'active'",
    "UPDATE holds SET currency = 'eur' WHERE status = 'active'",
    "DELETE FROM ledger_postings WHERE kind = 'hold'",
    "DELETE FROM ledger_postings WHERE kind = 'hold_top_up'",
    "DELETE FROM ledger_postings WHERE kind = 'hold_draw'",
    "DELETE FROM ledger_postings WHERE kind = 'hold_release'",
)


class Kept(NamedTuple):
    """A database; a hold of 20000 and 5000 more that stands with a draw of 3000, and one of
    9000 that was released after a draw of 1000."""

    url: str
    standing: Row
    top_up: Row
    drawn: Row
    released: Row
    taken: Row


@pytest.fixture(scope="module")
def kept(cluster: Cluster) -> Kept:
    url = cluster.database()
    migrate(url)
    made: list[Kept] = []

    async def history(books: Books) -> None:
        assert isinstance(books, HoldBooks)
        standing, top_up = await books.topped_up(await books.held(20000), 5000)
        standing, drawn = await books.drawn(standing, 3000)
        released, taken = await books.drawn(await books.held(9000), 1000)
        released = await books.ended(released, "release")
        made.append(Kept(url, standing, top_up, drawn, released, taken))

    asyncio.run(owned(HoldBooks(url)).played(history))
    return made[0]


@pytest.mark.parametrize("change", [*TAMPERED.values(), *TAMPERED_TOO])
def test_what_was_changed_is_named(kept: Kept, change: str) -> None:
    assert check(kept.url, None).differences == []
    rules = {changed: rule for rule, changed in TAMPERED.items()}
    with psycopg.connect(kept.url) as connection:
        connection.execute("SET session_replication_role = replica")
        assert connection.execute(change.encode()).rowcount > 0
        connection.commit()
        found = [difference.rule for difference in check(kept.url, None).differences]
        assert found
        assert rules.get(change, found[0]) in found
        undo(connection, kept)
    assert check(kept.url, None).differences == []


@pytest.fixture(scope="module", autouse=True)
def copied(kept: Kept) -> None:
    """A copy of every table that is tampered with."""
    with psycopg.connect(kept.url) as connection:
        for table in TABLES:
            connection.execute(f"CREATE TABLE kept_{table} AS SELECT * FROM {table}".encode())


TABLES = ("payments", "holds", "hold_top_ups", "hold_draws", "ledger_postings")


def undo(connection: psycopg.Connection[tuple[object, ...]], kept: Kept) -> None:
    for table in TABLES:
        connection.execute(f"DELETE FROM {table}".encode())
        connection.execute(f"INSERT INTO {table} SELECT * FROM kept_{table}".encode())
    connection.commit()


def owned(books: HoldBooks) -> HoldBooks:
    books.merchant = OWNER
    return books


def line(about: Row, kind: str, amount: int, **more: str) -> str:
    return json.dumps(
        {
            "at": 1,
            "kind": kind,
            "attempt": "0" * 32,
            "payment": about["id"].hex,
            "merchant": OWNER.hex,
            "livemode": False,
            "network": "visa",
            "amount": amount,
            "currency": "usd",
            "decision": "approved",
            **more,
        }
    )


def true_story(kept: Kept) -> dict[str, str]:
    """What the networks must have on their books."""
    standing, released = kept.standing["id"].hex, kept.released["id"].hex
    return {
        "authorised": line(kept.standing, "authorise", 20000),
        "added": line(kept.top_up, "authorise", 5000, hold=standing),
        "drawn": line(kept.drawn, "draw", 3000, hold=standing),
        "held": line(kept.released, "authorise", 9000),
        "taken": line(kept.taken, "draw", 1000, hold=released),
        "given back": line(kept.released, "reverse", 8000),
    }


Change = Callable[[Kept, dict[str, str]], None]
STORIES: dict[str, tuple[Change, str, bool]] = {
    "never approved": (lambda _, told: drop(told, "authorised"), "the networks hold it", False),
    "approved twice": (
        lambda kept, told: told.update(again=line(kept.standing, "authorise", 20000)),
        "a hold is approved once",
        False,
    ),
    "nothing added": (lambda _, told: drop(told, "added"), "the networks hold it", False),
    "another currency": (
        lambda kept, told: told.update(
            authorised=line(kept.standing, "authorise", 20000, currency="eur")
        ),
        "the networks did it for its owner",
        False,
    ),
    "more in another currency": (
        lambda kept, told: told.update(
            added=line(kept.top_up, "authorise", 5000, hold=kept.standing["id"].hex, currency="eur")
        ),
        "the networks did it for its owner",
        False,
    ),
    "never drawn": (lambda _, told: drop(told, "drawn"), "the networks approved it", False),
    "drawn on another hold": (
        lambda kept, told: told.update(
            drawn=line(kept.drawn, "draw", 3000, hold=kept.released["id"].hex)
        ),
        "the networks heard of its draws",
        False,
    ),
    "drawn twice": (
        lambda kept, told: told.update(
            again=line(kept.drawn, "draw", 3000, hold=kept.standing["id"].hex)
        ),
        "a payment is approved once",
        False,
    ),
    "a draw that nobody made": (
        lambda kept, told: told.update(
            more=line({"id": UUID(int=7)}, "draw", 50, hold=kept.standing["id"].hex)
        ),
        "the networks heard of its draws",
        True,
    ),
    "not given back": (
        lambda _, told: drop(told, "given back"),
        "a hold stands while it is ours",
        True,
    ),
    "given back in part": (
        lambda kept, told: told.update({"given back": line(kept.released, "reverse", 7999)}),
        "the networks gave back the rest",
        True,
    ),
    "more held than we know": (
        lambda kept, told: told.update(
            more=line({"id": UUID(int=8)}, "authorise", 50, hold=kept.standing["id"].hex)
        ),
        "the networks hold no more",
        True,
    ),
    "a hold that we do not know": (
        lambda _, told: told.update(more=line({"id": UUID(int=9)}, "authorise", 50)),
        "the networks hold nothing that we do not know",
        True,
    ),
}


def drop(told: dict[str, str], name: str) -> None:
    del told[name]


@pytest.mark.parametrize("story", STORIES)
def test_what_the_networks_say_otherwise_is_named(kept: Kept, tmp_path: Path, story: str) -> None:
    change, rule, settled_only = STORIES[story]
    told = true_story(kept)
    journal = tmp_path / "journal.jsonl"
    journal.write_text("\n".join(told.values()) + "\n")
    assert check(kept.url, journal, settled=True).differences == []
    change(kept, told)
    journal.write_text("\n".join(told.values()) + "\n")
    found = [each.rule for each in check(kept.url, journal, settled=settled_only).differences]
    assert found == [rule]


def test_what_is_under_way_agrees_and_is_not_settled(cluster: Cluster, tmp_path: Path) -> None:
    url = cluster.database()
    migrate(url)
    lines: list[str] = []

    async def history(books: Books) -> None:
        assert isinstance(books, HoldBooks)
        hold, _ = await books.drawn(await books.held(500), 200, heard=False)
        lines.append(line(hold, "authorise", 500))

    asyncio.run(owned(HoldBooks(url)).played(history))
    journal = tmp_path / "journal.jsonl"
    journal.write_text("\n".join(lines) + "\n")
    assert check(url, journal).differences == []
    rules = [difference.rule for difference in check(url, journal, settled=True).differences]
    assert rules == ["all work is done"]


def test_a_lost_draw_is_on_our_books_alone(cluster: Cluster, tmp_path: Path) -> None:
    url = cluster.database()
    migrate(url)
    told: dict[str, str] = {}

    async def history(books: Books) -> None:
        assert isinstance(books, HoldBooks)
        for action in ("release", None):
            drawn = 200 if action else 500
            hold, payment = await books.drawn(await books.held(500), drawn, heard=False)
            await books.lost(payment)
            # Released at the first refusal; one that was used up gives back what was refused.
            await (books.ended(hold, action) if action else books.used_up(hold))
            told[f"held {drawn}"] = line(hold, "authorise", 500)
            told[f"given back {drawn}"] = line(hold, "reverse", 500)
            taken = line(payment, "draw", drawn, hold=hold["id"].hex)
            told[f"taken {drawn}"] = taken

    asyncio.run(owned(HoldBooks(url)).played(history))
    journal = tmp_path / "journal.jsonl"

    def named(names: list[str]) -> list[str]:
        journal.write_text("\n".join(told[name] for name in names) + "\n")
        return [difference.rule for difference in check(url, journal, settled=True).differences]

    refused = [name for name in told if not name.startswith("taken")]
    assert named(refused) == []
    assert named([*refused, "taken 200"]) == ["the networks refused what was lost"]
    for name in ("given back 200", "given back 500"):
        assert named([other for other in refused if other != name]) == [
            "a hold stands while it is ours"
        ]
