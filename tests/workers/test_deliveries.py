"""Events reach their receivers: signed, in order, again after a failure, never forgotten."""

import asyncio
import hashlib
import hmac
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from itertools import pairwise

import pytest
import uvloop
from aiohttp import web

from adapters import merchant_http
from flows import events as event_flow
from flows.webhook_delivery import LEASE
from runtime.ids import uuid7
from tests.workers.house import SECRET, Bench, Place, bench, until
from tests.workers.receiver import Received, Receiver, answers, hangs, receiver

Scenario = Callable[[Bench, Receiver], Awaitable[None]]


def played(place: Place, scenario: Scenario) -> None:
    async def run() -> None:
        async with bench(place) as built, receiver() as shop:
            await scenario(built, shop)

    uvloop.run(run())


async def states(built: Bench) -> Counter[str]:
    return Counter(row["state"] for row in await built.deliveries())


async def all_in(built: Bench, state: str, count: int) -> bool:
    return await states(built) == Counter({state: count})


def test_an_event_arrives_within_a_second_signed_and_whole(place: Place) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        endpoint_id = await built.endpoint(shop.url("/hook?a=%2F"))
        async with built.delivering():
            await asyncio.sleep(0.3)
            took = []
            for count in (1, 2, 3):
                begun = time.monotonic()
                event_id = await built.event()
                await until(partial(_arrived, shop, count))
                took.append(shop.received[-1].came_at - begun)
            await until(lambda: all_in(built, "succeeded", 3))
        # A busy machine may hold up one of them.
        assert statistics.median(took) < 1.0, took
        received = shop.received[-1]
        assert received.request.raw_path == "/hook?a=%2F"
        assert received.event == {
            "object": "event",
            "id": f"evt_{event_id.hex}",
            "type": "payment.captured",
            "api_version": "2026-04-01",
            "sequence": 1,
            "livemode": False,
            "created_at": received.event["created_at"],
            "data": {"object": {"object": "payment", "description": "<b>&"}},
        }
        assert b"<" not in received.body and b"&" not in received.body
        assert received.headers["Content-Type"] == "application/json"
        assert received.headers["User-Agent"] == "Paymint-Webhooks/1"
        assert received.headers["webhook-id"] == f"evt_{event_id.hex}"
        moment, signature = received.headers["Paymint-Signature"].split(",")
        signed = moment.removeprefix("t=").encode() + b"." + received.body
        expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        assert signature == f"v1={expected}"
        assert received.headers["webhook-timestamp"] == moment.removeprefix("t=")
        for attempt in await built.attempts():
            assert (attempt["endpoint_id"], attempt["attempt"]) == (endpoint_id, 1)
            assert (attempt["status_code"], attempt["error"]) == (200, None)

    played(place, scenario)


def _arrived(shop: Receiver, count: int) -> bool:
    return len(shop.received) == count


def test_only_the_types_that_an_endpoint_wants_and_only_its_mode(place: Place) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        await built.endpoint(shop.url("/some"), ["refund.succeeded"])
        await built.endpoint(shop.url("/all"))
        built.livemode = True
        await built.endpoint(shop.url("/live"))
        built.livemode = False
        async with built.delivering():
            await built.event()
            await built.event(kind="refund.succeeded")
            await until(lambda: all_in(built, "succeeded", 3))
        assert Counter(one.path for one in shop.received) == {"/some": 1, "/all": 2}

    played(place, scenario)


def test_first_attempts_start_in_order_and_a_failed_one_holds_nobody_back(place: Place) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        shop.behaviours["/hook"] = answers(500, after_seconds=0.1)
        await built.endpoint(shop.url())
        payment, other = uuid7(), uuid7()
        for sequence in (1, 2, 3, 4):
            await built.event(payment, sequence)
            await built.event(other, sequence)
        async with built.delivering(), built.delivering():
            await until(lambda: len(shop.received) == 8)
            await asyncio.sleep(0.2)
        rows = await built.deliveries()
        by_event = {f"evt_{row['event_id'].hex}": row for row in rows}
        for object_id in (payment, other):
            mine = [
                one for one in shop.received if by_event[one.event["id"]]["object_id"] == object_id
            ]
            assert [one.event["sequence"] for one in mine] == [1, 2, 3, 4]
            for before, after in pairwise(mine):
                assert before.ended_at is not None and before.ended_at <= after.came_at
        assert {(row["state"], row["attempts"]) for row in rows} == {("pending", 1)}

    played(place, scenario)


def test_retries_follow_the_schedule_and_end_after_five(place: Place) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        shop.behaviours["/hook"] = answers(503)
        await built.endpoint(shop.url())
        await built.event()
        delays = [
            timedelta(minutes=5),
            timedelta(minutes=30),
            timedelta(hours=2),
            timedelta(days=1),
        ]
        # Else what the machine takes would count as time that went by.
        built.clock.stop()
        async with built.delivering():
            for made, delay in enumerate(delays, start=1):
                await until(partial(_attempts_made, built, made))
                built.clock.advance(delay - timedelta(seconds=20))
                await asyncio.sleep(0.25)
                assert len(shop.received) == made, "not before its time"
                built.clock.advance(timedelta(seconds=20))
            await until(lambda: all_in(built, "failed", 1))
        attempts = await built.attempts()
        assert [row["attempt"] for row in attempts] == [1, 2, 3, 4, 5]
        assert {row["status_code"] for row in attempts} == {503}
        gaps = [
            after["attempted_at"] - before["attempted_at"] for before, after in pairwise(attempts)
        ]
        assert gaps == delays

    played(place, scenario)


async def _attempts_made(built: Bench, count: int) -> bool:
    return len(await built.attempts()) == count


def test_a_replay_makes_one_more_attempt_and_keeps_the_history(place: Place) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        await built.endpoint(shop.url())
        event_id = await built.event()
        text = f"evt_{event_id.hex}"
        async with built.delivering():
            await until(lambda: all_in(built, "succeeded", 1))
            await built.endpoint(shop.url("/later"))
            reply = await event_flow.retry_event(built.house, built.asking, text)
            assert (reply.status, reply.resource["id"]) == (200, text)
            await until(lambda: all_in(built, "succeeded", 2))
            await until(lambda: _attempts_made(built, 3))
            await built.rows("UPDATE webhook_deliveries SET attempts = 5 RETURNING 1")
            shop.behaviours["/hook"] = answers(500)
            await event_flow.retry_event(built.house, built.asking, text)
            await until(lambda: _attempts_made(built, 5))
        assert Counter(row["attempt"] for row in await built.attempts()) == {1: 2, 2: 1, 6: 2}
        assert await states(built) == {"failed": 1, "succeeded": 1}

    played(place, scenario)


def test_a_hanging_receiver_delays_nobody_else(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merchant_http, "ATTEMPT_SECONDS", 120.0)

    async def scenario(built: Bench, shop: Receiver) -> None:
        shop.behaviours["/hangs"] = shop.waits
        await built.endpoint(shop.url("/hangs"), ["payment.failed"])
        await built.endpoint(shop.url("/works"), ["payment.captured"])
        for _ in range(700):
            await built.event(kind="payment.failed")
        async with built.delivering():
            await until(lambda: len(shop.at("/hangs")) == 4)
            for _ in range(10):
                await built.event()
            await until(lambda: len(shop.at("/works")) == 10)
            assert len(shop.at("/hangs")) == 4, "not one of these has ended yet"
            shop.let_go.set()

    played(place, scenario)


def test_the_lease_of_a_lost_worker_is_taken_over(place: Place) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        await built.endpoint(shop.url())
        await built.event()
        built.clock.stop()
        lost = built.delivery()
        (held,), _ = await lost.lease(1, {}, ())
        built.clock.advance(LEASE - timedelta(milliseconds=1))
        assert await lost.lease(1, {}, ()) == ([], False), "nobody else has it before its end"
        async with built.delivering():
            built.clock.advance(timedelta(milliseconds=1))
            await until(lambda: all_in(built, "succeeded", 1))
        await lost.deliver(held)
        await lost.close()
        assert len(shop.received) == 2, "it may arrive twice"
        assert len(await built.attempts()) == 1, "but only the holder of the lease records"

    played(place, scenario)


def test_many_workers_deliver_each_event_once(place: Place) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        for number in range(5):
            await built.endpoint(shop.url(f"/{number}"))
        events = [await built.event() for _ in range(40)]
        async with built.delivering(), built.delivering(), built.delivering():
            await until(lambda: all_in(built, "succeeded", 200))
        told = Counter((one.path, one.event["id"]) for one in shop.received)
        assert set(told.values()) == {1} and len(told) == 5 * len(events)

    played(place, scenario)


def test_lost_connections_are_survived(place: Place) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        await built.endpoint(shop.url())
        shop.behaviours["/hook"] = answers(200, after_seconds=0.05)
        async with built.delivering():
            for _ in range(20):
                await built.event()
            await until(lambda: len(shop.received) >= 4)
            await built.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await until(lambda: all_in(built, "succeeded", 20))

    played(place, scenario)


@pytest.mark.parametrize("status", [301, 302, 307, 404, 500])
def test_what_is_not_2xx_is_a_failure_and_no_redirect_is_followed(
    place: Place, status: int
) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        shop.behaviours["/hook"] = answers(status, Location=shop.url("/elsewhere"))
        await built.endpoint(shop.url())
        await built.event()
        async with built.delivering():
            await until(lambda: _attempts_made(built, 1))
        (attempt,) = await built.attempts()
        assert (attempt["status_code"], attempt["error"]) == (status, None)
        assert await states(built) == {"pending": 1}
        assert not shop.at("/elsewhere")

    played(place, scenario)


def test_an_attempt_that_takes_too_long_is_a_failure(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merchant_http, "ATTEMPT_SECONDS", 0.3)

    async def trickles(received: Received) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(received.request)
        while True:
            await response.write(b".")
            await asyncio.sleep(0.05)

    async def scenario(built: Bench, shop: Receiver) -> None:
        shop.behaviours |= {"/hangs": hangs, "/trickles": trickles}
        await built.endpoint(shop.url("/hangs"))
        await built.endpoint(shop.url("/trickles"))
        await built.event()
        async with built.delivering():
            await until(lambda: _attempts_made(built, 2))
        assert {row["error"] for row in await built.attempts()} == {"timeout"}
        assert await states(built) == {"pending": 2}

    played(place, scenario)


def test_no_more_than_64_kilobytes_of_a_reply_are_read(place: Place) -> None:
    async def floods(received: Received) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(received.request)
        while True:
            await response.write(b"x" * 16_384)

    async def scenario(built: Bench, shop: Receiver) -> None:
        shop.behaviours["/hook"] = floods
        await built.endpoint(shop.url())
        await built.event()
        async with built.delivering():
            await until(lambda: all_in(built, "succeeded", 1))

    played(place, scenario)


def test_a_deleted_endpoint_gets_nothing_more(place: Place) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        await built.endpoint(shop.url())
        await built.event()
        await built.rows("UPDATE webhook_endpoints SET deleted_at = now() RETURNING 1")
        async with built.delivering():
            await until(lambda: all_in(built, "failed", 1))
        assert not shop.received
        assert [row["error"] for row in await built.attempts()] == ["endpoint_deleted"]

    played(place, scenario)
