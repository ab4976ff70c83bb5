"""What is shown to the operator: how much work is due, since when, at a bounded cost."""

import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import uvloop
from prometheus_client import REGISTRY

from domain.retention import KEYS_KEPT
from flows.backlog import Backlogs
from models.backlog import COUNTED
from runtime.database import Database, DatabaseUnavailable
from tests.workers.house import Bench, Place, bench
from tests.workers.payouts import scheduled
from tests.workers.test_clocks import freeze
from tests.workers.test_refunds import captured_payment, refund_of

WAITED = timedelta(seconds=90)
WORKS = {"deliveries", "payments", "expiries", "refunds", "disputes", "erasures"}
WORKS |= {"holds", "hold_ends", "top_ups", "draws", "payouts", "arrivals", "keys"}
_MANY = """INSERT INTO webhook_deliveries (event_id, endpoint_id, merchant_id, livemode,
        object_id, sequence, state, next_attempt_at, created_at)
    SELECT gen_random_uuid(), %(endpoint)s, %(merchant)s, false, gen_random_uuid(), 1, 'pending',
        now() - interval '1 hour', now()
    FROM generate_series(1, %(count)s) RETURNING 1"""

_ON_ITS_WAY = """INSERT INTO payouts (id, merchant_id, livemode, business_day, amount, currency,
        status, arrival_date, transaction_count, created_at, arrives_at)
    VALUES (gen_random_uuid(), %(merchant)s, false, current_date, 100, 'usd', 'pending',
        current_date, 1, %(at)s, %(at)s) RETURNING 1"""
_KEY = """INSERT INTO idempotency_keys (key, merchant_id, livemode, digest, status, created_at)
    VALUES (gen_random_uuid(), %(merchant)s, false, '', %(status)s, %(at)s) RETURNING 1"""


def played(place: Place, scenario: Callable[[Bench], Awaitable[None]]) -> None:
    async def run() -> None:
        async with bench(place) as built:
            await scenario(built)

    uvloop.run(run())


def shown(name: str, work: str) -> float:
    value = REGISTRY.get_sample_value(name, {"work": work})
    assert value is not None, f"{name} is not shown for {work}"
    return value


def due(work: str) -> float:
    return shown("paymint_backlog", work)


def waited(work: str) -> float:
    return shown("paymint_oldest_due_seconds", work)


def test_all_kinds_of_work_are_shown_with_their_age(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        built.clock.stop()
        backlogs = Backlogs(built.house)
        await backlogs.turn()
        assert {(work, due(work), waited(work)) for work in WORKS} == {(w, 0, 0) for w in WORKS}
        await built.endpoint("http://127.0.0.1:9/hook")
        await built.event()
        payment = await captured_payment(built, 200)
        await refund_of(built, payment, 100)
        await refund_of(built, payment, 100)
        await built.rows("UPDATE payments SET resume_at = %(at)s RETURNING 1", at=built.clock.now())
        built.clock.advance(WAITED)
        await backlogs.turn()
        assert {work: due(work) for work in WORKS} == {
            "deliveries": 1,
            "payments": 1,
            "expiries": 0,
            "refunds": 2,
            "disputes": 0,
            "erasures": 0,
            **dict.fromkeys(("holds", "hold_ends", "top_ups", "draws"), 0),
            **dict.fromkeys(("payouts", "arrivals", "keys"), 0),
        }
        for work in ("deliveries", "payments", "refunds"):
            assert waited(work) == pytest.approx(WAITED.total_seconds())

    played(place, scenario)


def test_payouts_and_keys_are_due_when_their_time_has_come(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        built.clock.stop()
        start = built.clock.now()
        backlogs = Backlogs(built.house)
        await scheduled(built)
        await built.rows(_ON_ITS_WAY, merchant=built.merchant_id, at=start)
        for status in (200, None):
            await built.rows(_KEY, merchant=built.merchant_id, at=start, status=status)
        await backlogs.turn()
        assert [due(work) for work in ("payouts", "arrivals", "keys")] == [2, 1, 0]
        built.clock.advance(KEYS_KEPT + WAITED)
        await backlogs.turn()
        assert due("keys") == 1
        assert waited("keys") == pytest.approx(WAITED.total_seconds())
        for work in ("payouts", "arrivals"):
            assert waited(work) == pytest.approx((KEYS_KEPT + WAITED).total_seconds())

    played(place, scenario)


def test_what_a_test_clock_holds_back_is_no_backlog(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        built.clock.stop()
        start = built.clock.now() + timedelta(seconds=1)
        await freeze(built, start)
        refund = await refund_of(built, await captured_payment(built, 100), 100)
        await built.rows(
            "UPDATE refunds SET settle_at = %(at)s WHERE id = %(id)s RETURNING 1",
            at=start + timedelta(hours=1),
            id=refund["id"],
        )
        await built.endpoint("http://127.0.0.1:9/hook")
        await built.event()
        built.clock.advance(timedelta(hours=2))
        await Backlogs(built.house).turn()
        assert (due("refunds"), due("deliveries")) == (0, 1), "a first attempt waits for no clock"

    played(place, scenario)


def test_no_more_is_counted_than_is_said(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        endpoint = await built.endpoint("http://127.0.0.1:9/hook")
        await built.rows(
            _MANY, endpoint=endpoint, merchant=built.merchant_id, count=COUNTED + COUNTED // 10
        )
        await Backlogs(built.house).turn()
        assert due("deliveries") == COUNTED
        assert 3600 <= waited("deliveries") < 3700

    played(place, scenario)


def test_what_cannot_be_measured_is_not_shown_as_it_was(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        backlogs = Backlogs(built.house)
        await backlogs.turn()
        gone = Database("postgresql://nobody@127.0.0.1:1/none")
        await gone.open()
        lost = Backlogs(replace(built.house, database=gone))
        lost._shown = set(WORKS)
        try:
            with pytest.raises(DatabaseUnavailable):
                await lost.turn()
        finally:
            await gone.close()
        assert all(math.isnan(due(work)) and math.isnan(waited(work)) for work in WORKS)

    played(place, scenario)
