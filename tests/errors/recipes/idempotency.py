"""Idempotency keys: missing, no UUID, of another request, of one that is still running."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx

from tests.errors.scene import CHEAP, Scene, gives
from tests.serving import eventually
from tests.shop import told

# The card of a network that answers after 2.9 s: time enough to ask again.
SLOW = "4000009900000046"
APPEARS_SECONDS = 2.5


@gives("idempotency_key_missing", by="create_payment", param="Idempotency-Key")
def a_payment_without_a_key(scene: Scene) -> httpx.Response:
    return scene.merchant.ask("POST", "/v1/payments", CHEAP)


@gives("idempotency_key_invalid", by="create_payment", param="Idempotency-Key")
def a_key_of_ones_own_making(scene: Scene) -> httpx.Response:
    return scene.merchant.ask("POST", "/v1/payments", CHEAP, key="order-9281")


@gives("idempotency_key_reused", by="create_customer", param="Idempotency-Key")
def the_key_of_another_request(scene: Scene) -> httpx.Response:
    key = str(uuid4())
    told(scene.merchant.ask("POST", "/v1/customers", {"name": "A"}, key=key), 201)
    return scene.merchant.ask("POST", "/v1/customers", {"name": "B"}, key=key)


@gives("idempotency_key_in_use", by="create_payment", param="Idempotency-Key")
def the_same_request_while_it_runs(scene: Scene) -> httpx.Response:
    payer, key = scene.shop.open_account(), str(uuid4())
    token = payer.tokenise(SLOW)
    with ThreadPoolExecutor() as threads:
        first = threads.submit(payer.pay_answer, token, key=key)
        assert eventually(lambda: payer.get("/v1/payments")["data"], APPEARS_SECONDS)
        again = payer.pay_answer(token, key=key)
        # 202 where a busy machine takes the network's last tenth of a second.
        assert first.result().status_code in (201, 202)
    return again
