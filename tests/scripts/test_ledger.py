"""`scripts/ledger check` names the first place where the books disagree, rule by rule."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid5

import psycopg
import pytest

from models.migrate import migrate
from runtime.database import Row
from scripts.bookkeeping.books import RULES
from scripts.bookkeeping.checking import check
from tests.cluster import Cluster
from tests.house.tree import ROOT
from tests.models.ledger_books import Books
from tests.models.payout_books import PaidBooks
from tests.scripts.test_ledger_holds import TAMPERED as TAMPERED_HOLDS
from tests.shop import Merchant, Shop, told

# Whose money all of this is; in the journal as 32 zeros.
OWNER = UUID(int=0)
# What somebody with the database in their hands may do, and the rule that finds it.
TAMPERED = {
    "accounts sum to zero": "UPDATE ledger_balances SET balance = balance + 1"
    " WHERE account = 'fees'",
    "balances are their postings": "DELETE FROM ledger_balances WHERE account = 'fees'",
    "postings are of the chart of accounts": "UPDATE ledger_postings SET credit = 'pocket'"
    " WHERE kind = 'capture' AND position = 1",
    "payments, refunds and disputes are posted": "DELETE FROM ledger_postings"
    " WHERE kind = 'refund'",
    "what is authorised is promised": "UPDATE payments SET amount_authorized = amount - 1"
    " WHERE status = 'authorized'",
    "payments carry their refunds": "UPDATE payments SET amount_refunded = amount_refunded + 1"
    " WHERE amount_refunded > 0",
    "what is refunded was refunded whole": "UPDATE payments SET status = 'refunded'"
    " WHERE status = 'captured'",
    "payments carry their disputes": "UPDATE payments SET amount_disputed = amount_disputed - 1"
    " WHERE amount_disputed > 0",
    "settlements and payouts are posted": "DELETE FROM ledger_postings WHERE kind = 'payout_paid'",
    "settlements are their lines": "DELETE FROM settlement_lines WHERE line = 1",
    "the balance is the sum of its transactions": "UPDATE ledger_balances"
    " SET balance = balance - 1 WHERE account = 'merchant'",
    "what is pending was not settled": "DELETE FROM settlement_lines WHERE kind = 'capture'",
    "what is available was settled and not paid out": "UPDATE settlements SET payout_id = NULL",
    "payouts are their parts": "UPDATE payouts SET amount = amount + 1",
    "parts are the settlements that they pay out": "UPDATE payout_parts SET amount = amount - 1",
    "parts are exchanged at their rate": "UPDATE payout_parts SET rate = '1.1'"
    " WHERE currency = 'eur'",
    "fx holds what was exchanged": "DELETE FROM ledger_balances WHERE account = 'fx'",
    "payouts are on their way": "UPDATE payouts SET status = 'pending', arrives_at = now()",
    "payouts have arrived": "UPDATE ledger_balances SET balance = 0 WHERE account = 'paid_out'",
}
# What a tampering may touch.
TABLES = (
    "ledger_postings",
    "ledger_balances",
    "payments",
    "payouts",
    "payout_parts",
    "settlements",
    "settlement_lines",
)


@pytest.fixture(scope="module")
def kept(cluster: Cluster) -> tuple[str, Row]:
    """A database with a payment of each kind, paid out in part, and the one that was sold."""
    url = cluster.database()
    migrate(url)
    sold: list[Row] = []

    books = PaidBooks(url)
    books.merchant = OWNER

    async def history(_: Books) -> None:
        await books.open_account()
        await books.authorised(7000)
        await books.captured(5000, "eur")
        await books.paid_out()
        sold.append(await books.captured(10000))
        payment, refund = await books.refunded(sold[0], 2500)
        payment = await books.settled(payment, refund, "succeeded")
        await books.disputed(payment, 1000)

    asyncio.run(books.played(history))
    return url, sold[0]


def test_every_rule_is_tampered_with() -> None:
    assert set(TAMPERED) | set(TAMPERED_HOLDS) == set(RULES)


@pytest.mark.parametrize("rule", TAMPERED)
def test_what_was_changed_is_named(kept: tuple[str, Row], rule: str) -> None:
    url, _ = kept
    assert check(url, None).differences == []
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER TABLE ledger_postings DISABLE TRIGGER refuse_change")
        with connection.transaction():
            saved = {
                table: connection.execute(f"SELECT * FROM {table}".encode()).fetchall()
                for table in TABLES
            }
            assert connection.execute(TAMPERED[rule].encode()).rowcount > 0
        found = [difference.rule for difference in check(url, None).differences]
        assert rule in found
        restore(connection, saved)
    assert check(url, None).differences == []


def restore(
    connection: psycopg.Connection[tuple[object, ...]], saved: dict[str, list[tuple[object, ...]]]
) -> None:
    connection.execute("SET session_replication_role = replica")
    for table, rows in saved.items():
        connection.execute(f"DELETE FROM {table}".encode())
        for row in rows:
            places = ", ".join(["%s"] * len(row))
            values = [json.dumps(value) if isinstance(value, dict) else value for value in row]
            connection.execute(f"INSERT INTO {table} VALUES ({places})".encode(), values)
    connection.execute("RESET session_replication_role")


def line(payment: UUID, kind: str, amount: int, **more: str | int) -> str:
    return json.dumps(
        {
            "at": 1,
            "kind": kind,
            "attempt": "0" * 32,
            "payment": payment.hex,
            "merchant": OWNER.hex,
            "livemode": False,
            "network": "visa",
            "amount": amount,
            "currency": "usd",
            "decision": "approved",
            **more,
        }
    )


Tell = Callable[[UUID], list[str]]
STORIES: dict[str, tuple[Tell, str]] = {
    "approved twice": (
        lambda sold: [line(sold, "sale", 10000), line(sold, "sale", 10000)],
        "a payment is approved once",
    ),
    "never approved": (lambda sold: [], "the networks approved it"),
    "another amount": (lambda sold: [line(sold, "sale", 9999)], "the networks approved it"),
    "another currency": (
        lambda sold: [line(sold, "sale", 10000, currency="eur")],
        "the networks did it for its owner",
    ),
    "in live mode": (
        lambda sold: [line(sold, "sale", 10000, livemode=True)],
        "the networks did it for its owner",
    ),
    "for another merchant": (
        lambda sold: [line(sold, "sale", 10000, merchant="1" * 32)],
        "the networks did it for its owner",
    ),
    "paid back in another currency": (
        lambda sold: [line(sold, "sale", 10000), line(sold, "refund", 2500, currency="eur")],
        "the networks did it for its owner",
    ),
    "held and not taken": (
        lambda sold: [line(sold, "authorise", 10000)],
        "the networks captured it",
    ),
    "not paid back": (lambda sold: [line(sold, "sale", 10000)], "the networks paid it back"),
    "not charged back": (
        lambda sold: [line(sold, "sale", 10000), line(sold, "refund", 2500)],
        "the networks charged it back",
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_what_the_networks_say_otherwise_is_named(
    kept: tuple[str, Row], tmp_path: Path, story: str
) -> None:
    url, sold = kept
    tell, rule = STORIES[story]
    journal = tmp_path / "journal.jsonl"
    lines = [*lines_of_others(url), *tell(sold["id"])]
    journal.write_text("\n".join(lines) + "\n")
    assert [difference.rule for difference in check(url, journal).differences] == [rule]


def test_equal_books_agree_and_an_unknown_approval_does_not(
    kept: tuple[str, Row], tmp_path: Path
) -> None:
    url, sold = kept
    journal = tmp_path / "journal.jsonl"
    lines = [
        *lines_of_others(url),
        line(sold["id"], "sale", 10000),
        line(sold["id"], "refund", 2500),
        line(sold["id"], "chargeback", 1000, attempt=uuid5(sold["id"], "0").hex),
    ]
    # A process that was killed while writing leaves a torn line.
    journal.write_text("\n".join(lines) + '\n{"at": 1, "ki')
    assert check(url, journal, settled=True).differences == []
    for kind in ("sale", "capture", "refund"):
        journal.write_text("\n".join([*lines, line(UUID(int=7), kind, 50)]) + "\n")
        assert check(url, journal).differences == []
        (found,) = check(url, journal, settled=True).differences
        assert found.rule == "the networks hold nothing that we do not know", kind
    journal.write_text("\n".join([*lines, line(held_in(url), "capture", 7000)]) + "\n")
    assert check(url, journal).differences == []
    (found,) = check(url, journal, settled=True).differences
    assert found.rule == "the networks captured no more"


def held_in(url: str) -> UUID:
    """The payment that is held and not captured."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT id FROM payments WHERE status = 'authorized'").fetchone()
    assert row is not None
    held: UUID = row[0]
    return held


def lines_of_others(url: str) -> list[str]:
    """What the networks say of the payment that is held and of the one in another currency."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT id FROM payments WHERE currency = 'eur'").fetchone()
    assert row is not None
    return [
        line(held_in(url), "authorise", 7000),
        line(row[0], "sale", 5000, currency="eur"),
    ]


def test_the_command_looks_at_a_running_stack(shop: Shop, merchant: Merchant) -> None:
    payment = told(merchant.pay_answer(merchant.tokenise()), 201)
    assert payment["status"] == "captured"
    command = [sys.executable, "-P", "-m", "scripts.bookkeeping.main"]
    data = ["--data", str(shop.serving.directory), "check"]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    ran = subprocess.run(
        [*command, *data], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("agrees: ")
    nowhere = subprocess.run(
        [*command, "--data", "/nonexistent", "check"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert nowhere.returncode == 2
    assert "could not look" in nowhere.stderr
