"""Two faults in one request, of stages that flows decide: the earlier stage answers.

The pairs follow `x-refusal-order`: every two neighbours are tried, or it is said why no request
can have both faults.
"""

from collections.abc import Callable
from itertools import pairwise
from uuid import uuid4

import httpx
import pytest

from tests.errors.scene import CHEAP, NOBODY, Scene
from tests.gateway.test_order_of_refusals import BEHIND, GIVEN, STAGE_OF
from tests.shop import told

Both = Callable[[Scene], httpx.Response]
DECLINED = "4000000000000002"
ENDPOINTS_MAX = 16
STALE = {"If-Match": '"r999-ab"'}
# Pairs of neighbours that cannot meet in one request.
NEVER_TOGETHER = {
    ("idempotency_key", "conflict"): "a key that is absent belongs to no request",
}


def used_key(scene: Scene) -> str:
    """An idempotency key that belongs to another request."""
    key = str(uuid4())
    told(scene.merchant.ask("POST", "/v1/customers", {}, key=key), 201)
    return key


def used_token(scene: Scene, number: str = "4242424242424242") -> str:
    token = scene.merchant.tokenise(number)
    scene.merchant.pay_answer(token)
    return token


def schema_and_conflict(scene: Scene) -> httpx.Response:
    return scene.merchant.ask("POST", "/v1/customers", {"name": ""}, key=used_key(scene))


def address_and_conflict(scene: Scene) -> httpx.Response:
    body = {"url": "https://192.168.1.1/p"}
    return scene.merchant.ask("POST", "/v1/webhook_endpoints", body, key=used_key(scene))


def no_key_and_resource(scene: Scene) -> httpx.Response:
    return scene.merchant.ask("POST", "/v1/payments", CHEAP)


def conflict_and_resource(scene: Scene) -> httpx.Response:
    return scene.merchant.act(f"pay_{NOBODY}", "cancel", key=used_key(scene))


def conflict_and_unknown_customer(scene: Scene) -> httpx.Response:
    path = f"/v1/customers/cus_{NOBODY}/payment_methods"
    body = {"type": "card", "token": f"tok_{NOBODY}"}
    return scene.merchant.ask("POST", path, body, key=used_key(scene))


def conflict_and_unknown_card(scene: Scene) -> httpx.Response:
    return scene.merchant.pay_answer(f"tok_{NOBODY}", key=used_key(scene))


def conflict_and_unknown_event(scene: Scene) -> httpx.Response:
    return scene.merchant.ask("POST", f"/v1/events/evt_{NOBODY}/retry", key=used_key(scene))


def conflict_and_state(scene: Scene) -> httpx.Response:
    return scene.merchant.act(scene.merchant.pay()["id"], "cancel", key=used_key(scene))


def conflict_and_used_token(scene: Scene) -> httpx.Response:
    return scene.merchant.pay_answer(used_token(scene), key=used_key(scene))


def resource_and_precondition(scene: Scene) -> httpx.Response:
    body = {"business_name": "New"}
    return scene.merchant.ask("PATCH", f"/v1/merchants/mch_{NOBODY}", body, headers=STALE)


def resource_and_state(scene: Scene) -> httpx.Response:
    return scene.merchant.pay_answer(used_token(scene), customer_id=f"cus_{NOBODY}")


def resource_and_capture(scene: Scene) -> httpx.Response:
    path = f"/v1/customers/cus_{NOBODY}/payment_methods"
    return scene.merchant.ask("POST", path, {"type": "card", "token": used_token(scene)})


def precondition_and_state(scene: Scene) -> httpx.Response:
    owner, body = scene.shop.open_account(), {"url": "https://shop.example.com/paymint"}
    for _ in range(ENDPOINTS_MAX):
        told(owner.ask("POST", "/v1/webhook_endpoints", body), 201)
    change = {"webhook_url": body["url"]}
    return owner.ask("PATCH", f"/v1/merchants/{owner.id}", change, headers=STALE)


def state_and_card(scene: Scene) -> httpx.Response:
    return scene.merchant.pay_answer(used_token(scene, DECLINED))


TOGETHER: dict[tuple[str, str], tuple[Both, ...]] = {
    ("schema", "conflict"): (schema_and_conflict, address_and_conflict),
    ("idempotency_key", "resource"): (no_key_and_resource,),
    ("conflict", "resource"): (
        conflict_and_resource,
        conflict_and_unknown_customer,
        conflict_and_unknown_card,
        conflict_and_unknown_event,
    ),
    ("conflict", "state"): (conflict_and_state, conflict_and_used_token),
    ("resource", "precondition"): (resource_and_precondition,),
    ("resource", "state"): (resource_and_state, resource_and_capture),
    ("precondition", "state"): (precondition_and_state,),
    ("state", "card"): (state_and_card,),
}


def test_no_two_neighbours_are_left_out() -> None:
    decided = [stage for stage in GIVEN if stage != "outside"]
    neighbours = {pair for pair in pairwise(decided) if BEHIND & set(pair)}
    assert neighbours <= TOGETHER.keys() | NEVER_TOGETHER.keys()
    for first, second in (*TOGETHER, *NEVER_TOGETHER):
        assert GIVEN.index(first) < GIVEN.index(second)


@pytest.mark.parametrize(
    ("pair", "both"),
    [
        pytest.param(pair, both, id=both.__name__)
        for pair, found in TOGETHER.items()
        for both in found
    ],
)
def test_the_earlier_stage_answers(pair: tuple[str, str], both: Both, scene: Scene) -> None:
    answer = both(scene)
    assert STAGE_OF[answer.json()["error"]["code"]] == pair[0], answer.text
