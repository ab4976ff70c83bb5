"""Test clocks, disputes and webhooks: 422 of their states, and what a live key is refused."""

from datetime import timedelta

import httpx

from tests.business_clock import CLOCKS, WEEK, ahead, freeze
from tests.errors.recipes.accounts import keys_in_live_mode
from tests.errors.scene import Scene, gives
from tests.shop import told

YEARS_AHEAD = timedelta(days=6 * 366)


@gives("test_mode_only", by="list_test_clocks")
def a_live_key_at_a_helper(scene: Scene) -> httpx.Response:
    return keys_in_live_mode(scene).ask("GET", CLOCKS)


@gives("test_clock_exists", by="create_test_clock")
def two_clocks(scene: Scene) -> httpx.Response:
    owner = scene.shop.open_account()
    told(freeze(owner, ahead()), 201)
    return freeze(owner, ahead())


@gives("test_clock_not_forward", by="create_test_clock", param="frozen_time")
def a_clock_in_the_past(scene: Scene) -> httpx.Response:
    return freeze(scene.merchant, ahead(-WEEK))


@gives("test_clock_too_far", by="create_test_clock", param="frozen_time")
def a_clock_in_the_far_future(scene: Scene) -> httpx.Response:
    return freeze(scene.merchant, ahead(YEARS_AHEAD))


def dispute(scene: Scene, payment: str) -> str:
    """The id of a dispute that was opened about all of a payment."""
    body = {"payment_id": payment}
    opened = scene.merchant.ask("POST", "/v1/test_helpers/disputes", body)
    return str(told(opened, 201)["id"])


@gives("payment_disputed", by="create_refund", param="amount")
def refunding_what_is_disputed(scene: Scene) -> httpx.Response:
    payment = scene.merchant.pay()["id"]
    dispute(scene, payment)
    return scene.merchant.act(payment, "refunds", {"amount": 1})


@gives("dispute_unexpected_state", by="submit_dispute_evidence")
def evidence_twice(scene: Scene) -> httpx.Response:
    path = f"/v1/disputes/{dispute(scene, scene.merchant.pay()['id'])}/evidence"
    told(scene.merchant.ask("POST", path, {"text": "A photograph."}), 200)
    return scene.merchant.ask("POST", path, {"text": "Another one."})


@gives("webhook_endpoint_disabled", by="retry_event", param="webhook_endpoint_id")
def retrying_to_a_disabled_endpoint(scene: Scene) -> httpx.Response:
    made = scene.merchant.endpoint("https://shop.example.com/paymint")["id"]
    path = f"/v1/webhook_endpoints/{made}"
    told(scene.merchant.ask("PATCH", path, {"status": "disabled"}), 200)
    scene.merchant.pay()
    event = scene.merchant.events()[0]["id"]
    return scene.merchant.ask("POST", f"/v1/events/{event}/retry", {"webhook_endpoint_id": made})
