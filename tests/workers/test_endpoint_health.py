"""Endpoints that never answer are disabled; rolled secrets; retries on a merchant's own clock."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import uvloop

from domain.callers import Once
from domain.refusals import Missing, PreconditionFailed, Unprocessable
from flows import alerts as alerts_flow
from flows import events as events_flow
from flows import merchants as merchants_flow
from flows import webhook_endpoints as flow
from runtime.database import Row
from runtime.ids import uuid7
from tests.journeys.signatures import verify_paymint, verify_standard
from tests.receiver import Delivery
from tests.workers.house import SECRET, Bench, Place, bench, until
from tests.workers.receiver import Received, Receiver, answers, receiver

Scenario = Callable[[Bench, Receiver], Awaitable[None]]
ALMOST_FIVE_DAYS = timedelta(days=4, hours=23, minutes=59)


def played(place: Place, scenario: Scenario) -> None:
    async def run() -> None:
        async with bench(place) as built, receiver() as shop:
            await scenario(built, shop)

    uvloop.run(run())


def named(prefix: str, identifier: UUID) -> str:
    return f"{prefix}_{identifier.hex}"


async def work_off(built: Bench) -> int:
    """Make every attempt that is due now; how many there were."""
    worker = built.delivery()
    made = 0
    while leased := (await worker.lease(64, {}, ()))[0]:
        for delivery in leased:
            await worker.deliver(delivery)
        made += len(leased)
    await worker.close()
    return made


async def endpoint_row(built: Bench, endpoint_id: UUID) -> Row:
    (row,) = await built.rows("SELECT * FROM webhook_endpoints WHERE id = %(id)s", id=endpoint_id)
    return row


async def alerts(built: Bench, **query: Any) -> list[dict[str, Any]]:
    page = await alerts_flow.list_alerts(built.house, built.asking, query)
    shown: list[dict[str, Any]] = page["data"]
    return shown


async def changed(built: Bench, endpoint_id: UUID, **body: Any) -> dict[str, Any]:
    text = named("whe", endpoint_id)
    return await flow.update_webhook_endpoint(built.house, built.asking, text, body)


async def retried(built: Bench, event_id: UUID, body: dict[str, Any] | None = None) -> None:
    await events_flow.retry_event(built.house, built.asking, named("evt", event_id), body)


async def errors_of(built: Bench, event_id: UUID) -> list[str | None]:
    page = await events_flow.list_event_deliveries(
        built.house, built.asking, named("evt", event_id), {}
    )
    return [attempt["error"] for item in page["data"] for attempt in item["attempts"]]


def test_five_days_without_an_answer_disable_an_endpoint(place: Place) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        shop.behaviours["/dead"] = answers(503)
        dead, alive = await built.endpoint(shop.url("/dead")), await built.endpoint(shop.url())
        await built.event()
        assert await work_off(built) == 2
        since = (await endpoint_row(built, dead))["failing_since"]
        assert abs(built.clock.now() - since) < timedelta(seconds=5)
        built.clock.advance(ALMOST_FIVE_DAYS)
        last = await built.event()
        await work_off(built)
        row = await endpoint_row(built, dead)
        assert (row["status"], row["failing_since"], row["revision"]) == ("enabled", since, 1)
        assert await alerts(built) == []
        built.clock.advance(timedelta(minutes=5))
        await work_off(built)
        row = await endpoint_row(built, dead)
        assert (row["status"], row["failing_since"], row["revision"]) == ("disabled", since, 2)
        row = await endpoint_row(built, alive)
        assert (row["status"], row["failing_since"], row["revision"]) == ("enabled", None, 1)
        (alert,) = await alerts(built, status="open")
        assert (alert["type"], alert["subject"]) == (
            "webhook_endpoint_disabled",
            named("whe", dead),
        )
        assert alert["created_at"] == alert["last_seen_at"] and alert["resolved_at"] is None
        shown = await alerts_flow.retrieve_alert(built.house, built.asking, alert["id"])
        assert shown == alert
        built.clock.advance(timedelta(days=2))
        came = len(shop.at("/dead"))
        await work_off(built)
        assert len(shop.at("/dead")) == came
        assert await errors_of(built, last) == [None, "endpoint_disabled", None, None]

    played(place, scenario)


def test_an_endpoint_that_is_enabled_again_begins_anew(place: Place) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        shop.behaviours["/hook"] = answers(500)
        endpoint_id = await given_up(built, shop)
        missed = await built.event()
        assert [row for row in await built.deliveries() if row["event_id"] == missed] == []
        only = {"webhook_endpoint_id": named("whe", endpoint_id)}
        with pytest.raises(Unprocessable, match="webhook_endpoint_disabled"):
            await retried(built, missed, only)
        await retried(built, missed)
        came = len(shop.received)
        await work_off(built)
        assert len(shop.received) == came
        shown = await changed(built, endpoint_id, status="enabled")
        assert (shown["status"], shown["revision"]) == ("enabled", 3)
        (alert,) = await alerts(built, status="resolved")
        assert alert["resolved_at"] is not None and await alerts(built, status="open") == []
        shop.behaviours.clear()
        await retried(built, missed, only)
        assert await work_off(built) == 1
        assert shop.received[-1].event["id"] == named("evt", missed)
        shop.behaviours["/hook"] = answers(500)
        await built.event()
        await work_off(built)
        assert (await endpoint_row(built, endpoint_id))["status"] == "enabled"

    played(place, scenario)


async def given_up(built: Bench, shop: Receiver) -> UUID:
    """An endpoint that was just disabled for its failures."""
    endpoint_id = await built.endpoint(shop.url())
    for _ in range(2):
        await built.event()
        await work_off(built)
        built.clock.advance(timedelta(days=5))
    row = await endpoint_row(built, endpoint_id)
    if row["status"] == "enabled":
        await built.event()
        await work_off(built)
    assert (await endpoint_row(built, endpoint_id))["status"] == "disabled"
    return endpoint_id


def test_one_answer_in_between_is_enough(place: Place) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        endpoint_id = await built.endpoint(shop.url())
        shop.behaviours["/hook"] = answers(500)
        await built.event()
        await work_off(built)
        built.clock.advance(ALMOST_FIVE_DAYS)
        shop.behaviours.clear()
        await work_off(built)
        assert (await endpoint_row(built, endpoint_id))["failing_since"] is None
        shop.behaviours["/hook"] = answers(500)
        await built.event()
        await work_off(built)
        built.clock.advance(ALMOST_FIVE_DAYS)
        await built.event()
        await work_off(built)
        row = await endpoint_row(built, endpoint_id)
        assert (row["status"], row["revision"]) == ("enabled", 1)
        assert await alerts(built) == []

    played(place, scenario)


def test_a_batch_disables_many_endpoints_each_with_one_alert(place: Place) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        shop.behaviours |= {f"/{n}": answers(500) for n in range(8)}
        for n in range(8):
            await built.endpoint(shop.url(f"/{n}"))
        await built.event()
        await work_off(built)
        built.clock.advance(timedelta(days=5))
        for _ in range(6):
            await built.event()
        async with built.delivering(), built.delivering():
            await until(lambda: _disabled(built, 8))
        shown = await alerts(built)
        assert len({alert["subject"] for alert in shown}) == len(shown) == 8
        rows = await built.rows("SELECT revision FROM webhook_endpoints WHERE url IS NOT NULL")
        assert {row["revision"] for row in rows} == {2}

    played(place, scenario)


async def _disabled(built: Bench, count: int) -> bool:
    rows = await built.rows("SELECT 1 FROM webhook_endpoints WHERE status = 'disabled'")
    return len(rows) == count


def test_a_new_address_and_deletion_forget_old_failures(place: Place) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        shop.behaviours["/hook"] = answers(500)
        endpoint_id = await built.endpoint(shop.url())
        await built.event()
        await work_off(built)
        await changed(built, endpoint_id, description="The same address")
        assert (await endpoint_row(built, endpoint_id))["failing_since"] is not None
        await changed(built, endpoint_id, url=shop.url("/other"))
        assert (await endpoint_row(built, endpoint_id))["failing_since"] is None
        gone = await given_up(built, shop)
        await flow.delete_webhook_endpoint(built.house, built.asking, named("whe", gone))
        assert [alert["status"] for alert in await alerts(built)] == ["resolved"]

    played(place, scenario)


def test_the_merchants_own_url_is_an_endpoint_like_any_other(place: Place) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        own = named("mch", built.merchant_id)

        async def merchant(**body: Any) -> dict[str, Any]:
            return await merchants_flow.update_merchant(built.house, built.asking, own, body)

        shop.behaviours["/hook"] = answers(500)
        before = await merchant(webhook_url=shop.url())
        (row,) = await built.rows("SELECT id FROM webhook_endpoints")
        for _ in range(2):
            await built.event()
            await work_off(built)
            built.clock.advance(timedelta(days=5))
        assert len(await alerts(built, status="open")) == 1
        await merchant(webhook_url=shop.url("/mended"))
        assert await alerts(built, status="open") == []
        shown = await changed(built, row["id"], url=shop.url("/elsewhere"))
        assert shown["status"] == "enabled"
        now = await merchants_flow.retrieve_merchant(built.house, built.asking, own)
        assert now["webhook_url"] == shop.url("/elsewhere")
        assert now["revision"] == before["revision"] + 2
        await built.event()
        await work_off(built)
        assert len(shop.at("/elsewhere")) >= 1 and not shop.at("/mended")

    played(place, scenario)


def signed_with(received: Received, place: int, secret: str) -> None:
    headers = {name.lower(): value for name, value in received.headers.items()}
    delivery = Delivery(float(headers["webhook-timestamp"]), headers, received.body)
    verify_paymint(delivery, secret, place)
    verify_standard(delivery, secret, place)


def signatures(received: Received) -> tuple[int, int]:
    headers = {name.lower(): value for name, value in received.headers.items()}
    return headers["paymint-signature"].count("v1="), headers["webhook-signature"].count("v1,")


def test_two_secrets_sign_for_a_day_after_a_roll(place: Place) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        endpoint_id = await built.endpoint(shop.url())
        text = named("whe", endpoint_id)
        asking = replace(built.asking, once=Once(uuid7(), b"digest"))
        rolled = await flow.roll_webhook_secret(built.house, asking, text)
        secret, expires = rolled.resource["secret"], rolled.resource["previous_secret_expires_at"]
        again = await flow.roll_webhook_secret(built.house, asking, text)
        assert again.replayed and again.resource == {**rolled.resource, "secret": None}
        assert secret != SECRET and expires is not None and rolled.resource["revision"] == 2
        await built.event()
        await work_off(built)
        assert signatures(shop.received[-1]) == (2, 2)
        signed_with(shop.received[-1], 0, secret)
        signed_with(shop.received[-1], 1, SECRET)
        latest = await flow.roll_webhook_secret(built.house, built.asking, text)
        newest = latest.resource["secret"]
        await built.event()
        await work_off(built)
        signed_with(shop.received[-1], 0, newest)
        signed_with(shop.received[-1], 1, secret)
        built.clock.advance(timedelta(hours=24))
        await built.event()
        await work_off(built)
        assert signatures(shop.received[-1]) == (1, 1)
        signed_with(shop.received[-1], 0, newest)
        shown = await flow.retrieve_webhook_endpoint(built.house, built.asking, text)
        assert shown["previous_secret_expires_at"] is None

    played(place, scenario)


def test_a_change_is_made_to_what_was_seen(place: Place) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        endpoint_id = await built.endpoint(shop.url())
        text = named("whe", endpoint_id)
        asking = replace(built.asking, if_match=frozenset({1}))
        body = {"description": "First"}
        shown = await flow.update_webhook_endpoint(built.house, asking, text, body)
        assert shown["revision"] == 2
        with pytest.raises(PreconditionFailed):
            await flow.update_webhook_endpoint(built.house, asking, text, {"description": "Late"})
        assert (await endpoint_row(built, endpoint_id))["description"] == "First"
        with pytest.raises(Missing):
            await flow.update_webhook_endpoint(built.house, asking, named("whe", uuid7()), body)

    played(place, scenario)


async def freeze(built: Bench, offset: timedelta) -> None:
    """Put the merchant's test clock to `offset` from now."""
    frozen_time = built.clock.now() + offset
    await built.rows(
        "INSERT INTO test_clocks (id, merchant_id, livemode, frozen_time, created_at)"
        " VALUES (%(id)s, %(merchant_id)s, false, %(frozen_time)s, now())"
        " ON CONFLICT (merchant_id, livemode) DO UPDATE SET frozen_time = %(frozen_time)s"
        " RETURNING 1",
        id=uuid7(),
        merchant_id=built.merchant_id,
        frozen_time=frozen_time,
    )


def test_retries_wait_for_the_merchants_clock_and_first_attempts_do_not(place: Place) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        shop.behaviours["/hook"] = answers(500)
        await built.endpoint(shop.url())
        await freeze(built, timedelta(days=-1))
        await built.event()
        assert await work_off(built) == 1
        built.clock.advance(timedelta(hours=1))
        assert await work_off(built) == 0, "an hour passed on the wall, none for the merchant"
        await freeze(built, timedelta(days=-1))
        assert await work_off(built) == 1
        (row,) = await built.deliveries()
        assert built.clock.now() - row["next_attempt_at"] > timedelta(hours=23)

    played(place, scenario)


def test_a_clock_that_was_moved_during_an_attempt_is_heeded(place: Place) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        shop.behaviours["/hook"] = answers(500)
        await built.endpoint(shop.url())
        await freeze(built, timedelta(days=30))
        await built.event()
        worker = built.delivery()
        (held,), _ = await worker.lease(1, {}, ())
        await freeze(built, timedelta(days=30, minutes=5, seconds=5))
        await worker.deliver(held)
        await worker.close()
        (row,) = await built.deliveries()
        (clock,) = await built.rows("SELECT frozen_time FROM test_clocks")
        assert row["state"] == "pending"
        assert row["next_attempt_at"] - clock["frozen_time"] == timedelta(minutes=5)
        assert await work_off(built) == 0

    played(place, scenario)


def test_five_days_of_the_merchants_clock_count(place: Place) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        shop.behaviours["/hook"] = answers(500)
        endpoint_id = await built.endpoint(shop.url())
        await freeze(built, timedelta())
        await built.event()
        await work_off(built)
        await freeze(built, timedelta(days=5, seconds=1))
        await built.event()
        await work_off(built)
        assert (await endpoint_row(built, endpoint_id))["status"] == "disabled"
        (alert,) = await alerts(built)
        await changed(built, endpoint_id, status="enabled")
        (resolved,) = await alerts(built)
        assert resolved["resolved_at"] == alert["created_at"], "the merchant's clock stands still"

    played(place, scenario)
