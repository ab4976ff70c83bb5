"""Endpoints and the merchant's own URL: limits, visibility, replays of events."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
import uvloop

from domain.callers import Once
from domain.refusals import Malformed, Missing, Refusal, Unprocessable
from flows import events as events_flow
from flows import merchants as merchants_flow
from flows import webhook_endpoints as flow
from flows.replies import Reply
from models.sealed import WEBHOOK_SECRET
from runtime.ids import uuid7
from tests.workers.house import SECRET, Bench, Place, bench

URL = "https://shop.example.com/hook"
Scenario = Callable[[Bench], Awaitable[None]]


def played(place: Place, scenario: Scenario) -> None:
    async def run() -> None:
        async with bench(place) as built:
            await scenario(built)

    uvloop.run(run())


async def created(built: Bench, url: str = URL, **body: Any) -> dict[str, Any]:
    reply = await flow.create_webhook_endpoint(built.house, built.asking, {"url": url, **body})
    return reply.resource


async def updated(built: Bench, **body: Any) -> dict[str, Any]:
    merchant_id = f"mch_{built.merchant_id.hex}"
    return await merchants_flow.update_merchant(built.house, built.asking, merchant_id, body)


async def listed(built: Bench, **query: Any) -> dict[str, Any]:
    return await flow.list_webhook_endpoints(built.house, built.asking, query)


def test_a_secret_is_shown_once(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        asking = replace(built.asking, once=Once(uuid7(), b"digest"))
        first = await flow.create_webhook_endpoint(built.house, asking, {"url": URL})
        again = await flow.create_webhook_endpoint(built.house, asking, {"url": URL})
        assert first.status == again.status == 201
        assert first.resource["secret"].startswith("whsec_") and len(first.resource["secret"]) == 50
        assert again.replayed and again.resource == {**first.resource, "secret": None}
        read = await flow.retrieve_webhook_endpoint(built.house, built.asking, first.resource["id"])
        assert read == {**first.resource, "secret": None}

    played(place, scenario)


def test_there_are_sixteen_at_most_however_many_ask_at_once(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        outcomes = await asyncio.gather(
            *[created(built) for _ in range(24)], return_exceptions=True
        )
        refused = [one for one in outcomes if isinstance(one, Unprocessable)]
        assert {one.code for one in refused} == {"webhook_endpoint_limit"}
        assert (len(outcomes), len(refused)) == (24, 8)
        with pytest.raises(Unprocessable):
            await updated(built, webhook_url=URL)
        await flow.delete_webhook_endpoint(
            built.house, built.asking, (await listed(built))["data"][0]["id"]
        )
        assert (await updated(built, webhook_url=URL))["webhook_url"] == URL

    played(place, scenario)


def test_pages_go_both_ways(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        newest_first = [(await created(built))["id"] for _ in range(5)][::-1]
        first = await listed(built, limit=2)
        assert [one["id"] for one in first["data"]] == newest_first[:2]
        assert (first["has_more"], first["total_count"]) == (True, 5)
        second = await listed(built, limit=2, starting_after=first["next_cursor"])
        third = await listed(built, limit=2, starting_after=second["next_cursor"])
        assert [one["id"] for one in third["data"]] == newest_first[4:]
        assert (third["has_more"], third["next_cursor"]) == (False, None)
        back = await listed(built, limit=2, ending_before=third["prev_cursor"])
        assert back["data"] == second["data"]
        assert back["has_more"] and back["next_cursor"] == second["next_cursor"]
        start = await listed(built, limit=5, ending_before=second["prev_cursor"])
        assert start["data"] == first["data"] and not start["has_more"]
        beyond = await listed(built, ending_before=first["prev_cursor"])
        assert (beyond["data"], beyond["prev_cursor"], beyond["next_cursor"]) == ([], None, None)
        for query in ({"starting_after": "crs_x"}, {"ending_before": "crs_AAAA"}):
            with pytest.raises(Malformed, match="invalid_cursor"):
                await listed(built, **query)
        both = {"starting_after": first["next_cursor"], "ending_before": first["next_cursor"]}
        with pytest.raises(Malformed, match="parameters_exclusive"):
            await listed(built, **both)

    played(place, scenario)


def test_the_merchant_url_is_an_endpoint_while_it_is_set(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        assert (await listed(built))["data"] == []
        shown = await updated(built, webhook_url=URL, business_name="Widgets")
        assert (shown["webhook_url"], shown["business_name"]) == (URL, "Widgets")
        (endpoint,) = (await listed(built))["data"]
        assert (endpoint["url"], endpoint["secret"]) == (URL, None)
        assert (await updated(built))["webhook_url"] == URL
        await built.event()
        (delivery,) = await built.deliveries()
        assert delivery["endpoint_id"].hex == endpoint["id"].removeprefix("whe_")
        assert (await updated(built, webhook_url=None))["webhook_url"] is None
        with pytest.raises(Missing):
            await flow.retrieve_webhook_endpoint(built.house, built.asking, endpoint["id"])
        await updated(built, webhook_url=URL)
        gone = await flow.delete_webhook_endpoint(built.house, built.asking, endpoint["id"])
        assert gone["deleted"] is True
        assert (await updated(built))["webhook_url"] is None
        (row,) = await built.rows("SELECT secret_sealed, deleted_at FROM webhook_endpoints")
        sealed = bytes(row["secret_sealed"])
        seals = built.house.seals
        assert await seals.open(built.merchant_id, WEBHOOK_SECRET, sealed) == SECRET.encode()
        assert row["deleted_at"] is None

    played(place, scenario)


@pytest.mark.parametrize(
    ("url", "code"),
    [("http://shop.example.com/", "url_not_https"), ("https://10.0.0.1/", "url_not_public")],
)
def test_an_address_that_is_not_public_is_refused(place: Place, url: str, code: str) -> None:
    async def scenario(built: Bench) -> None:
        with pytest.raises(Malformed) as refused:
            await created(built, url)
        assert (refused.value.code, refused.value.param) == (code, "url")
        with pytest.raises(Malformed) as refused:
            await updated(built, webhook_url=url)
        assert (refused.value.code, refused.value.param) == (code, "webhook_url")

    played(place, scenario)


def test_nothing_of_anybody_else_is_there(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        endpoint = await created(built)
        event_id = f"evt_{(await built.event()).hex}"
        own = f"mch_{built.merchant_id.hex}"
        house, me = built.house, built.asking
        built.merchant_id = uuid7()
        await built.open_merchant()
        stranger = built.asking
        other_mode = replace(me, caller=replace(me.caller, livemode=True))
        for asking in (stranger, other_mode):
            asked: list[Awaitable[dict[str, Any] | Reply]] = [
                flow.retrieve_webhook_endpoint(house, asking, endpoint["id"]),
                flow.delete_webhook_endpoint(house, asking, endpoint["id"]),
                events_flow.retrieve_event(house, asking, event_id),
                events_flow.retry_event(house, asking, event_id),
            ]
            for one in asked:
                with pytest.raises(Missing):
                    await one
        for malformed in (endpoint["id"].upper(), "whe_", event_id):
            with pytest.raises(Refusal):
                await flow.retrieve_webhook_endpoint(house, me, malformed)
        with pytest.raises(Missing):
            await merchants_flow.retrieve_merchant(house, stranger, own)
        assert (await merchants_flow.retrieve_merchant(house, me, own))["id"] == own
        assert (await events_flow.retrieve_event(house, me, event_id))["id"] == event_id
        assert (await events_flow.list_events(house, stranger, {}))["data"] == []
        assert len((await events_flow.list_events(house, me, {}))["data"]) == 1

    played(place, scenario)
