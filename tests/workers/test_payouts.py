"""Once a business day what has settled is paid out, once, whoever runs and whatever dies."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import uvloop
from prometheus_client import REGISTRY
from psycopg.errors import UniqueViolation

from adapters.exchange_rates import FixedRates
from flows import payout_runs
from flows.payout_runs import run_due_payouts
from models import settlements
from models.payouts import Account, insert_schedules, lock_schedule
from runtime.ids import uuid7
from scripts.bookkeeping.checking import check
from tests.workers.house import Bench, Place, bench
from tests.workers.payouts import (
    DAY,
    agrees,
    held,
    parts_of,
    payouts_of,
    run_of,
    scheduled,
)

Scenario = Callable[[Bench], Awaitable[None]]


def played(place: Place, scenario: Scenario) -> None:
    async def run() -> None:
        async with bench(place) as built:
            await scenario(built)

    uvloop.run(run())


def without_rate(currency: str) -> float:
    """How many balances in this currency the runs of this process left for want of a rate."""
    labels = {"currency": currency, "to": "usd"}
    return REGISTRY.get_sample_value("paymint_payouts_without_rate_total", labels) or 0.0


def left_in_other_currencies(built: Bench) -> int:
    """What the last line of `scripts/ledger check` says of them."""
    figures = check(built.house.settings.database_url, None).figures
    return figures["balances left in other currencies"]


def test_what_came_in_is_paid_out_the_day_after(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        till = await scheduled(built)
        assert await run_of(built, 0) == []
        await till.captured(10000)
        assert await held(till) == {"usd": (0, 9680)}
        (payout,) = await run_of(built)
        assert (payout["amount"], payout["currency"], payout["status"]) == (9680, "usd", "paid")
        assert payout["business_day"] == payout["arrival_date"] == built.clock.now().date()
        assert payout["transaction_count"] == 1
        assert await till.balances() == {
            ("usd", "card_network"): -10000,
            ("usd", "fees"): 320,
            ("usd", "paid_out"): 9680,
        }
        agrees(built)
        # Nothing came in: nothing is paid out.
        assert await run_of(built) == [payout]

    played(place, scenario)


def test_currencies_are_exchanged_through_fx_at_a_rate_that_is_kept(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        till = await scheduled(built)
        await till.captured(10000)
        await till.captured(20000, "eur")
        await till.captured(500_000, "jpy")
        await till.captured(12_345, "kwd")
        (payout,) = await run_of(built)
        # In usd cents: 193.90 eur at 1.16, 485470 jpy at 0.00642, 11.957 kwd at 3.257.
        assert await parts_of(built, payout) == {
            "eur": (19390, "1.1600000000", 22492),
            "jpy": (485470, "0.0064200000", 311672),
            "kwd": (11957, "3.2570000000", 3894),
            "usd": (9680, "1", 9680),
        }
        assert payout["amount"] == 22492 + 311672 + 3894 + 9680
        balances = await till.balances()
        assert {key: value for key, value in balances.items() if key[1] == "fx"} == {
            ("eur", "fx"): 19390,
            ("jpy", "fx"): 485470,
            ("kwd", "fx"): 11957,
            ("usd", "fx"): -(22492 + 311672 + 3894),
        }
        assert balances["usd", "paid_out"] == payout["amount"]
        agrees(built)

    played(place, scenario)


def test_a_currency_without_a_rate_stays_and_the_rest_is_paid(
    place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    async def scenario(built: Bench) -> None:
        till = await scheduled(built)
        whole = built.house
        built.house = replace(whole, rates=FixedRates({"usd": "1"}))
        await till.captured(10000)
        await till.captured(10000, "eur")
        (payout,) = await run_of(built)
        assert await parts_of(built, payout) == {"usd": (9680, "1", 9680)}
        assert await held(till) == {"eur": (9680, 0)}
        agrees(built)
        assert (without_rate("eur") - before, left_in_other_currencies(built)) == (1, 1)
        built.house = whole
        _, second = await run_of(built)
        assert await parts_of(built, second) == {"eur": (9680, "1.1600000000", 11229)}
        assert second["transaction_count"] == 1
        agrees(built)
        assert (without_rate("eur") - before, left_in_other_currencies(built)) == (1, 0)

    before = without_rate("eur")
    played(place, scenario)
    assert "payout_without_rate" in capfd.readouterr().out


def test_what_was_taken_back_counts_at_once_and_a_debt_pays_nothing_out(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        till = await scheduled(built)
        payment = await till.captured(10000)
        payment, _ = await till.refunded(payment, 10000)
        other = await till.captured(10000, "eur")
        (payout,) = await run_of(built)
        # What is owed in one currency takes nothing from another.
        assert await parts_of(built, payout) == {"eur": (9680, "1.1600000000", 11229)}
        assert await held(till) == {"usd": (-320, 0)}
        await till.disputed(other, 5000)
        assert await run_of(built) == [payout]
        assert await held(till) == {"usd": (-320, 0), "eur": (-6500, 0)}
        agrees(built)
        await till.captured(20000)
        _, last = await run_of(built)
        assert (last["amount"], last["transaction_count"]) == (19390 - 320, 3)
        assert await held(till) == {"eur": (-6500, 0)}
        agrees(built)

    played(place, scenario)


def test_of_the_day_itself_only_what_was_taken_back_settles(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        till = await scheduled(built)
        payment = await till.captured(10000)
        await till.refunded(payment, 3000)
        assert await run_of(built, 0) == []
        assert await held(till) == {"usd": (-3000, 9680)}
        agrees(built)
        (payout,) = await run_of(built)
        assert payout["amount"] == 6680
        agrees(built)

    played(place, scenario)


def test_what_is_less_than_the_minimum_waits(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        till = await scheduled(built)
        await till.captured(100)
        assert await run_of(built) == []
        assert await held(till) == {"usd": (67, 0)}
        await till.captured(100)
        (payout,) = await run_of(built)
        assert (payout["amount"], payout["transaction_count"]) == (134, 2)
        agrees(built)

    played(place, scenario)


@pytest.mark.parametrize("status", ["suspended", "terminated"])
def test_an_account_that_is_stopped_is_settled_and_keeps_its_money(
    place: Place, status: str
) -> None:
    async def scenario(built: Bench) -> None:
        till = await scheduled(built)
        await till.captured(10000)
        change = "UPDATE merchants SET status = %(status)s RETURNING id"
        await built.rows(change, status=status)
        assert await run_of(built) == []
        assert await held(till) == {"usd": (9680, 0)}
        agrees(built)
        await built.rows(change, status="active")
        (payout,) = await run_of(built)
        assert payout["amount"] == 9680

    played(place, scenario)


def test_accounts_whose_runs_fail_keep_nobody_waiting(
    place: Place, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(payout_runs, "RUNS_PER_LOOK", 2)

    async def scenario(built: Bench) -> None:
        # Longest overdue, and of merchants whom nobody finds.
        overdue = built.clock.now() - DAY
        async with built.house.database.transaction() as transaction:
            for _ in range(2):
                await insert_schedules(transaction, uuid7(), overdue)
        till = await scheduled(built)
        await till.captured(10000)
        (payout,) = await run_of(built)
        assert payout["amount"] == 9680

    played(place, scenario)
    assert capfd.readouterr().out.count("payout_run_failed") >= 4


def test_two_workers_at_once_pay_once(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        till = await scheduled(built)
        for round_number in range(1, 6):
            await till.captured(10000)
            built.clock.advance(DAY)
            await asyncio.gather(*(run_due_payouts(built.house) for _ in range(4)))
            assert len(await payouts_of(built)) == round_number
            agrees(built)

    played(place, scenario)


def test_the_database_refuses_a_second_payout_of_a_day(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        till = await scheduled(built)
        await till.captured(10000)
        (payout,) = await run_of(built)
        with pytest.raises(UniqueViolation):
            await built.rows(
                "INSERT INTO payouts SELECT gen_random_uuid(), merchant_id, livemode,"
                " business_day, amount, currency, status, arrival_date, transaction_count,"
                " created_at, arrives_at FROM payouts RETURNING id"
            )
        with pytest.raises(UniqueViolation):
            await built.rows(
                "INSERT INTO settlement_lines SELECT source_id, kind, merchant_id, livemode,"
                " gen_random_uuid(), line FROM settlement_lines RETURNING line"
            )
        # A schedule that is set back settles what came in and pays nothing more that day.
        await till.captured(10000)
        await built.rows("UPDATE payout_schedules SET run_at = %(at)s RETURNING 1 AS a", at=DAY_0)
        assert await run_of(built, 0) == [payout]
        agrees(built)

    played(place, scenario)


def test_a_busy_day_is_settled_in_several_transactions(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = settlements._SETTLE.text.replace(f"LIMIT {settlements.MOST_AT_ONCE}", "LIMIT 3")
    assert few != settlements._SETTLE.text
    monkeypatch.setattr(settlements, "MOST_AT_ONCE", 3)
    monkeypatch.setattr(settlements, "_SETTLE", replace(settlements._SETTLE, text=few))

    async def scenario(built: Bench) -> None:
        till = await scheduled(built)
        for _ in range(4):
            await till.captured(10000)
            await till.captured(10000, "eur")
        (payout,) = await run_of(built)
        assert payout["transaction_count"] == 8
        (row,) = await built.rows("SELECT count(*) AS count FROM settlements")
        assert row["count"] > 2
        agrees(built)

    played(place, scenario)


def test_a_currency_that_comes_in_meanwhile_ends_no_run_early(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rates, and the currencies that are settled, are asked for before the run begins."""
    few = settlements._SETTLE.text.replace(f"LIMIT {settlements.MOST_AT_ONCE}", "LIMIT 3")
    monkeypatch.setattr(settlements, "MOST_AT_ONCE", 3)
    monkeypatch.setattr(settlements, "_SETTLE", replace(settlements._SETTLE, text=few))

    async def scenario(built: Bench) -> None:
        till = await scheduled(built)
        # The first three hold one of another currency: they must not be taken for the last.
        await till.captured(10000)
        await till.captured(10000, "eur")
        for _ in range(4):
            await till.captured(10000)
        built.clock.advance(DAY)
        now, account = built.clock.now(), Account(built.merchant_id, False)
        async with built.house.database.transaction() as transaction:
            schedule = await lock_schedule(transaction, account)
            assert schedule is not None
            ids = {"usd": built.house.new_id()}
            went_to = await settlements.settle(transaction, schedule, now, now, ids)
        assert went_to is not None
        assert await held(till) == {"usd": (3 * 9680, 2 * 9680), "eur": (0, 9680)}
        agrees(built)
        await run_due_payouts(built.house)
        assert await held(till) == {}
        agrees(built)

    played(place, scenario)


def test_refunds_and_disputes_race_the_run(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        till = await scheduled(built)
        for _ in range(8):
            payments = [await till.captured(10000) for _ in range(6)]
            built.clock.advance(DAY)
            await asyncio.gather(
                *(till.refunded(payment, 3000) for payment in payments[:3]),
                run_due_payouts(built.house),
                *(till.disputed(payment, 2000) for payment in payments[3:]),
                run_due_payouts(built.house),
            )
            agrees(built)

    played(place, scenario)


def test_live_money_settles_a_day_later_and_arrives_on_a_banking_day(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        till = await scheduled(built)
        built.livemode = True
        await built.rows("UPDATE merchants SET status = 'active' RETURNING id")
        payment = await till.captured(10000)
        # The books of tests are those of test mode; the row is made a live one.
        with psycopg.connect(built.house.settings.database_url) as connection:
            connection.execute("ALTER TABLE ledger_postings DISABLE TRIGGER refuse_change")
            for table in ("ledger_postings", "ledger_balances", "payments"):
                connection.execute(f"UPDATE {table} SET livemode = true".encode())
        assert payment["status"] == "captured"
        assert await run_of(built) == []
        (payout,) = await run_of(built)
        assert (payout["livemode"], payout["status"]) == (True, "pending")
        wait = payout["arrival_date"] - payout["business_day"]
        assert wait in (timedelta(days=2), timedelta(days=3), timedelta(days=4))
        assert payout["arrival_date"].weekday() < 5
        assert (await till.balances())["usd", "in_transit"] == 9680
        (arrived,) = await run_of(built, wait.days)
        assert arrived["status"] == "paid"
        agrees(built)

    played(place, scenario)


DAY_0: Any = "2020-01-01T00:00:00Z"
