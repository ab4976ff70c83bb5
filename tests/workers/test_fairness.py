"""One receiver's backlog, or its hanging, delays nobody else; nor does that of many."""

import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
import uvloop

from adapters import merchant_http
from domain.delivery_rooms import ATTEMPTS_PER_ENDPOINT, MOST_PER_MERCHANT
from models.delivery_leases import LOOKED_AT, WALKED
from runtime.ids import uuid7
from tests.workers.house import Bench, Place, bench, until
from tests.workers.receiver import Receiver, receiver
from tests.workers.test_clocks import freeze

BACKLOG = 20_000
EVENTS = 20
SOON_SECONDS = 1.0
# No attempt ends by itself while a test looks at who waits.
PATIENT_SECONDS = 120.0
# Events and their deliveries, due for the last hour, each of an object of its own.
_MANY = """WITH made AS (
    INSERT INTO events (id, merchant_id, livemode, type, object_id, sequence, object,
        request_id, created_at)
    SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0')
            || '7' || substr(digest, 1, 3) || '8' || substr(digest, 4, 15))::uuid,
        %(merchant)s, false, 'payment.captured', gen_random_uuid(), 1, '{}', 'req_test', now()
    FROM generate_series(1, %(count)s) AS n, LATERAL (SELECT md5(n || %(endpoint)s::text)
        AS digest) AS digested
    RETURNING id, object_id)
INSERT INTO webhook_deliveries (event_id, endpoint_id, merchant_id, livemode, object_id,
    sequence, state, attempts, next_attempt_at, created_at)
SELECT id, %(endpoint)s, %(merchant)s, false, object_id, 1, 'pending', %(attempts)s,
    %(due)s - random() * interval '1 hour', now() FROM made RETURNING 1"""

Scenario = Callable[[Bench, Receiver], Awaitable[None]]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merchant_http, "ATTEMPT_SECONDS", PATIENT_SECONDS)


def played(place: Place, scenario: Scenario) -> None:
    async def run() -> None:
        async with bench(place) as built, receiver() as shop:
            await scenario(built, shop)

    uvloop.run(run())


async def another(built: Bench) -> Bench:
    """The same house with a merchant of its own."""
    other = replace(built, merchant_id=uuid7())
    await other.open_merchant()
    return other


async def backlog(
    built: Bench, endpoint: UUID, count: int, attempts: int = 0, waits: timedelta = timedelta(0)
) -> None:
    await built.rows(
        _MANY,
        merchant=built.merchant_id,
        endpoint=endpoint,
        count=count,
        attempts=attempts,
        due=built.clock.now() + waits,
    )


async def check_delivered_soon(built: Bench, shop: Receiver, path: str) -> None:
    """New events reach `path` within a second, whatever else is due.

    A busy machine may hold up one or another; what stands in their way holds up all.
    """
    took = []
    for _ in range(EVENTS):
        begun, before = time.monotonic(), len(shop.at(path))
        await built.event()
        await until(partial(_more_than, shop, path, before))
        took.append(shop.at(path)[before].came_at - begun)
    assert statistics.median(took) < SOON_SECONDS, took


def _more_than(shop: Receiver, path: str, count: int) -> bool:
    return len(shop.at(path)) > count


def test_a_long_backlog_of_a_hanging_receiver_delays_nobody(place: Place) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        shop.behaviours["/hangs"] = shop.waits
        await backlog(built, await built.endpoint(shop.url("/hangs")), BACKLOG)
        other = await another(built)
        await other.endpoint(shop.url("/works"))
        async with built.delivering():
            await until(lambda: len(shop.at("/hangs")) == ATTEMPTS_PER_ENDPOINT)
            await check_delivered_soon(other, shop, "/works")
            assert len(shop.at("/hangs")) == ATTEMPTS_PER_ENDPOINT
            shop.let_go.set()

    played(place, scenario)


def test_nor_does_it_delay_another_endpoint_of_the_same_merchant(place: Place) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        shop.behaviours["/hangs"] = shop.waits
        await backlog(built, await built.endpoint(shop.url("/hangs"), ["x.y"]), BACKLOG)
        await built.endpoint(shop.url("/works"))
        async with built.delivering():
            await until(lambda: len(shop.at("/hangs")) == ATTEMPTS_PER_ENDPOINT)
            await check_delivered_soon(built, shop, "/works")
            shop.let_go.set()

    played(place, scenario)


def test_a_merchant_whose_every_receiver_hangs_has_its_part_and_no_more(place: Place) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        shop.behaviours["/hangs"] = shop.waits
        for _ in range(16):
            await backlog(built, await built.endpoint(shop.url("/hangs")), LOOKED_AT)
        other = await another(built)
        await other.endpoint(shop.url("/works"))
        async with built.delivering():
            await until(lambda: len(shop.at("/hangs")) == MOST_PER_MERCHANT)
            await check_delivered_soon(other, shop, "/works")
            assert len(shop.at("/hangs")) == MOST_PER_MERCHANT
            shop.let_go.set()

    played(place, scenario)


def test_more_endpoints_than_one_look_walks_all_have_their_turn(place: Place) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        secret = await built.sealed_secret()
        await built.rows(
            "INSERT INTO webhook_endpoints (id, merchant_id, livemode, url, status,"
            " secret_sealed, created_at) SELECT gen_random_uuid(), %(merchant)s, false, %(url)s,"
            " 'enabled', %(secret)s, now() FROM generate_series(1, %(count)s) RETURNING 1",
            merchant=built.merchant_id,
            url=shop.url("/many"),
            secret=secret,
            count=2 * WALKED + 1,
        )
        event = await built.event()
        async with built.delivering():
            await until(lambda: len(shop.at("/many")) == 2 * WALKED + 1)
        endpoints = {row["endpoint_id"] for row in await built.attempts()}
        assert len(endpoints) == 2 * WALKED + 1
        assert {one.event["id"] for one in shop.received} == {f"evt_{event.hex}"}

    played(place, scenario)


def test_what_a_test_clock_holds_back_hides_nothing(place: Place) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        built.clock.stop()
        await freeze(built, built.clock.now() + timedelta(seconds=1))
        endpoint = await built.endpoint(shop.url("/works"))
        await backlog(built, endpoint, 2 * LOOKED_AT, attempts=1, waits=timedelta(hours=2))
        built.clock.advance(timedelta(hours=3))
        async with built.delivering():
            await check_delivered_soon(built, shop, "/works")
            assert len(shop.received) == EVENTS, "retries wait for the merchant's own time"

    played(place, scenario)


def test_receivers_that_hang_and_recover_are_served_in_the_end(place: Place) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        shop.behaviours["/hook"] = shop.waits
        await backlog(built, await built.endpoint(shop.url()), 2 * LOOKED_AT)
        async with built.delivering():
            await until(lambda: len(shop.received) == ATTEMPTS_PER_ENDPOINT)
            shop.let_go.set()
            waiting = "SELECT 1 FROM webhook_deliveries WHERE attempts = 0 LIMIT 1"
            await until(lambda: _none(built, waiting), seconds=60.0)

    played(place, scenario)


async def _none(built: Bench, text: str) -> bool:
    return not await built.rows(text)
