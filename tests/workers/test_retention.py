"""What has been kept for long enough goes, what is in use or too young stays."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import uvloop
from prometheus_client import REGISTRY

from domain.callers import Asking, Once
from domain.retention import AUDIT_MONTHS_KEPT, EVENT_MONTHS_KEPT, KEYS_KEPT, month_kept_since
from flows.partitions import make_partitions
from flows.replies import Reply, once
from flows.retention import KeyRetention, forget_old_months
from models import idempotency
from models.partitions import ensure_partitions
from models.retention import ROWS_AT_ONCE, drop_months
from runtime.database import Transaction
from runtime.ids import uuid7
from tests.workers.house import Bench, Place, bench
from tests.workers.test_refunds import captured_payment

MINUTE = timedelta(minutes=1)
# Long ago enough for everything, and so long that audit entries may go.
OLD = datetime(2017, 3, 15, tzinfo=UTC)
_ENTRY = """INSERT INTO audit_entries (id, merchant_id, entry, created_at, chain, sequence)
    VALUES (%(id)s, %(merchant)s, '{}', %(at)s, %(chain)s, 1) RETURNING 1"""
_ROOT = """INSERT INTO audit_roots (number, sealed_at, previous, hash, key_name, signature)
    VALUES (%(number)s, %(at)s, '', '', 'k', '') RETURNING 1"""
_EXPORT = """INSERT INTO audit_exports (root, archive, digest, created_at)
    VALUES (%(number)s, 'a', '', now()) RETURNING 1"""
_KEYS = """INSERT INTO idempotency_keys (key, merchant_id, livemode, digest, status, reply,
        created_at)
    SELECT gen_random_uuid(), %(merchant)s, false, '', 200, '{}', %(at)s
    FROM generate_series(1, %(count)s) RETURNING 1"""


def played(place: Place, scenario: Callable[[Bench], Awaitable[None]]) -> None:
    async def run() -> None:
        async with bench(place) as built:
            await scenario(built)

    uvloop.run(run())


def keyed(built: Bench, key: UUID) -> Asking:
    return replace(built.asking, once=Once(key, b"digest"))


async def ask(built: Bench, key: UUID, number: int) -> Reply:
    async def change(_: Transaction) -> Reply:
        return Reply(200, {"number": number})

    return await once(built.house, keyed(built, key), change)


async def forgotten(built: Bench) -> int:
    """Everything that one pass forgets."""
    retention, count = KeyRetention(built.house), 0
    while batch := await retention.turn():
        assert batch <= ROWS_AT_ONCE
        count += batch
    return count


async def keys_left(built: Bench) -> set[UUID]:
    return {row["key"] for row in await built.rows("SELECT key FROM idempotency_keys")}


def test_a_key_is_a_new_request_after_48_hours_and_not_before(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        key = uuid4()
        first = await ask(built, key, 1)
        built.clock.advance(KEYS_KEPT - MINUTE)
        assert await forgotten(built) == 0
        again = await ask(built, key, 2)
        assert (again.resource, again.replayed) == (first.resource, True)
        built.clock.advance(2 * MINUTE)
        assert await forgotten(built) == 1
        new = await ask(built, key, 3)
        assert (new.resource, new.replayed) == ({"number": 3}, False)
        assert await forgotten(built) == 0, "it is young again"

    played(place, scenario)


def test_what_is_in_use_is_not_forgotten(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        unanswered, of_pending, of_captured = uuid4(), uuid4(), uuid4()
        async with built.house.database.transaction() as transaction:
            now = built.clock.now()
            for key in (unanswered, of_pending, of_captured):
                assert await idempotency.claim(transaction, keyed(built, key), now) is None
        payment = await captured_payment(built, 0)
        pending = await captured_payment(built, 0)
        await built.rows(
            "UPDATE payments SET status = 'pending', amount_captured = 0 WHERE id = %(id)s"
            " RETURNING 1",
            id=pending,
        )
        for key, resource in ((of_pending, pending), (of_captured, payment)):
            await built.rows(
                "UPDATE idempotency_keys SET status = 202, reply = '{}', resource_id = %(id)s"
                " WHERE key = %(key)s RETURNING 1",
                id=resource,
                key=key,
            )
        built.clock.advance(KEYS_KEPT + MINUTE)
        assert await forgotten(built) == 1
        assert await keys_left(built) == {unanswered, of_pending}
        (kept,) = await built.rows(
            "SELECT idempotency_key FROM payments WHERE id = %(id)s", id=payment
        )
        assert kept["idempotency_key"] == payment, "the payment keeps its own record of the key"

    played(place, scenario)


def test_many_are_forgotten_in_batches(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        count = 2 * ROWS_AT_ONCE + 1
        await built.rows(_KEYS, merchant=built.merchant_id, at=built.clock.now(), count=count)
        built.clock.advance(KEYS_KEPT + MINUTE)
        assert await forgotten(built) == count
        assert await keys_left(built) == set()

    played(place, scenario)


def test_a_key_that_is_forgotten_while_it_is_claimed_is_claimed_once(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        key = uuid4()
        await ask(built, key, 1)
        read, forget = idempotency.read, "DELETE FROM idempotency_keys RETURNING 1"
        looked: list[Any] = []

        async def overtaken(transaction: Transaction, asking: Asking) -> Any:
            if not looked:
                looked.append(await built.rows(forget))
            return await read(transaction, asking)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(idempotency, "read", overtaken)
            new = await ask(built, key, 2)
        assert looked and (new.resource, new.replayed) == ({"number": 2}, False)
        assert (await ask(built, key, 3)).resource == {"number": 2}, "the key was claimed anew"

    played(place, scenario)


def partitions(place: Place, parent: str) -> set[str]:
    with psycopg.connect(place.database_url) as connection:
        rows = connection.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass",
            [parent],
        ).fetchall()
    return {str(row[0]) for row in rows}


def make_old_months(place: Place) -> None:
    with psycopg.connect(place.database_url, autocommit=True) as connection:
        for statement in ensure_partitions(OLD):
            connection.execute(statement.encode())


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def old_name(parent: str) -> str:
    return f"{parent}_{OLD:%Y_%m}"


def test_months_of_events_go_with_their_deliveries(place: Place) -> None:
    make_old_months(place)

    async def scenario(built: Bench) -> None:
        endpoint = await built.endpoint("http://127.0.0.1:9/hook")
        young = await built.event()
        old = uuid7(milliseconds(OLD))
        for statement in (
            "INSERT INTO events SELECT %(old)s, merchant_id, livemode, type, object_id, sequence,"
            " object, request_id, %(at)s FROM events WHERE id = %(young)s RETURNING 1",
            "INSERT INTO webhook_deliveries SELECT %(old)s, endpoint_id, merchant_id, livemode,"
            " object_id, sequence, 'failed', 1, %(at)s, NULL, %(at)s FROM webhook_deliveries"
            " WHERE event_id = %(young)s RETURNING 1",
            "INSERT INTO webhook_attempts SELECT event_id, endpoint_id, merchant_id, 1, %(at)s, 1,"
            " 500, NULL FROM webhook_deliveries RETURNING 1",
        ):
            assert await built.rows(statement, old=old, young=young, at=OLD)
        assert await forget_old_months(built.house) == 2, "a delivery and its attempt"
        assert old_name("events") in partitions(place, "events"), "not before the next look"
        assert await forget_old_months(built.house) == 0
        left = partitions(place, "events")
        assert not {name for name in left if name.startswith(f"events_{OLD:%Y}")}
        (delivery,) = await built.deliveries()
        assert (delivery["event_id"], delivery["endpoint_id"]) == (young, endpoint)
        assert [row["event_id"] for row in await built.attempts()] == [young]
        assert await forget_old_months(built.house) == 0

    played(place, scenario)


def test_months_of_audit_entries_go_when_they_are_archived(place: Place) -> None:
    make_old_months(place)

    async def scenario(built: Bench) -> None:
        values = {"id": uuid7(milliseconds(OLD)), "merchant": built.merchant_id, "at": OLD}
        await built.rows(_ENTRY, **values, chain=uuid4())
        month = old_name("audit_entries")
        await forget_old_months(built.house)
        assert month in partitions(place, "audit_entries"), "it is not sealed"
        await built.rows(_ROOT, number=1, at=OLD + timedelta(days=1))
        await built.rows(_ROOT, number=2, at=OLD + timedelta(days=200))
        await built.rows(_EXPORT, number=2)
        await forget_old_months(built.house)
        assert month in partitions(place, "audit_entries"), "one root of its time is not archived"
        await built.rows(_EXPORT, number=1)
        await forget_old_months(built.house)
        assert month not in partitions(place, "audit_entries")

    played(place, scenario)


def test_entries_that_no_chain_holds_are_never_dropped(place: Place) -> None:
    make_old_months(place)

    async def scenario(built: Bench) -> None:
        values = {"id": uuid7(milliseconds(OLD)), "merchant": built.merchant_id, "at": OLD}
        await built.rows(_ENTRY, **values, chain=None)
        await built.rows(_ROOT, number=1, at=OLD + timedelta(days=200))
        await built.rows(_EXPORT, number=1)
        await forget_old_months(built.house)
        assert old_name("audit_entries") in partitions(place, "audit_entries")

    played(place, scenario)


@pytest.mark.parametrize(
    ("parent", "months"),
    [("audit_entries", AUDIT_MONTHS_KEPT - 1), ("events", 2), ("payments", 200)],
)
def test_the_database_itself_refuses_what_is_too_young(
    place: Place, parent: str, months: int
) -> None:
    async def scenario(built: Bench) -> None:
        before = built.clock.now() - timedelta(days=30 * months)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with built.house.database.transaction() as transaction:
                await drop_months(transaction, parent, before)

    played(place, scenario)


def test_what_no_month_has_caught_is_shown(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        def shown(table: str) -> float | None:
            return REGISTRY.get_sample_value("paymint_rows_in_default_partition", {"table": table})

        await make_partitions(built.house)
        assert (shown("events"), shown("audit_entries")) == (0, 0)
        far = uuid7(milliseconds(datetime(2060, 1, 1, tzinfo=UTC)))
        values = {"id": far, "merchant": built.merchant_id, "at": OLD}
        await built.rows(_ENTRY, **values, chain=None)
        await make_partitions(built.house)
        assert (shown("events"), shown("audit_entries")) == (0, 1)

    played(place, scenario)


def test_months_are_counted_over_the_turn_of_a_year() -> None:
    moment = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)
    assert month_kept_since(moment, 1) == datetime(2025, 12, 1, tzinfo=UTC)
    assert month_kept_since(moment, EVENT_MONTHS_KEPT) == datetime(2024, 12, 1, tzinfo=UTC)
    assert month_kept_since(moment, AUDIT_MONTHS_KEPT) == datetime(2019, 1, 1, tzinfo=UTC)
