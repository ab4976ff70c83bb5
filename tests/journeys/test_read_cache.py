"""With rows kept in Valkey: the same answers, whatever becomes of Valkey, and no decisions."""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis

from adapters.remembered_rows import WRITTEN_WITHIN_SECONDS, RememberedRows
from domain.remembering import Changed
from tests.books import settle
from tests.serving import STRICT, eventually, serving
from tests.shop import Merchant, Shop, error, told

SETTLED_SECONDS = 40.0
LINK_SECONDS = 30.0
_DISGUISE = b"UPDATE payments SET description = 'changed behind the cache' WHERE id = %s"
_DISGUISE_CUSTOMER = b"UPDATE customers SET metadata = '{}' WHERE id = %s"


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """A stack with the setting on."""
    command = ("env", "PAYMINT_READ_CACHE=1", *STRICT)
    with serving(command, "--port", "0") as running:
        opened = Shop(running)
        try:
            yield opened
            settle(opened)
        finally:
            opened.close()


@pytest.fixture
def valkey(shop: Shop) -> Iterator[redis.Redis]:
    client: redis.Redis = redis.from_url(redis_url(shop))
    yield client
    client.close()


def redis_url(shop: Shop) -> str:
    return str(shop.environment["paymint-api"]["REDIS_URL"])


def key_of(merchant: Merchant, kind: str, identifier: str) -> str:
    owner, own = merchant.id.partition("_")[2], identifier.partition("_")[2]
    return f"{kind}:{{{owner}}}:0:{own}"


def disguise(shop: Shop, statement: bytes, identifier: str) -> None:
    """Change a row where no write-through sees it: who shows the old one has a memory."""
    with shop.database() as connection:
        connection.execute(statement, [UUID(hex=identifier.partition("_")[2])])


def rewritten(client: redis.Redis, key: str, **changes: Any) -> None:
    """A remembered row with other values in it."""
    stored = client.get(key)
    assert isinstance(stored, bytes)
    order, _, text = stored.partition(b" ")
    client.set(key, order + b" " + json.dumps({**json.loads(text), **changes}).encode())


def test_a_payment_is_shown_from_memory_and_every_change_shows(
    shop: Shop, merchant: Merchant, valkey: redis.Redis
) -> None:
    payment = merchant.pay(capture=False, description="as it was")
    key = key_of(merchant, "payment", payment["id"])
    assert eventually(lambda: valkey.exists(key), 10.0)
    assert 0 < int(str(valkey.ttl(key))) <= 30
    disguise(shop, _DISGUISE, payment["id"])
    assert merchant.payment(payment["id"]) == payment
    captured = told(merchant.act(payment["id"], "capture", {"amount": 6000}), 200)
    assert merchant.payment(payment["id"])["status"] == "captured" == captured["status"]
    merchant.refund(payment["id"], amount=1000)
    assert merchant.payment(payment["id"])["amount_refunded"] == 1000
    merchant.refund(payment["id"], amount=5000)
    assert merchant.payment(payment["id"])["amount_refunded"] == 6000
    ended = eventually(
        lambda: merchant.payment(payment["id"])["status"] == "refunded", SETTLED_SECONDS
    )
    assert ended
    valkey.flushall()
    assert merchant.payment(payment["id"])["status"] == "refunded"


def test_a_customer_is_shown_from_memory_until_it_changes(
    shop: Shop, merchant: Merchant, valkey: redis.Redis
) -> None:
    customer = merchant.customer(name="Ada", metadata={"n": "1"})
    path = f"/v1/customers/{customer['id']}"
    assert merchant.get(path) == customer
    key = key_of(merchant, "customer", customer["id"])
    assert eventually(lambda: valkey.exists(key), 10.0)
    assert 30 < int(str(valkey.ttl(key))) <= 120
    held = valkey.get(key)
    # What is known of a person is under seal there, too.
    assert isinstance(held, bytes) and b"name_sealed" in held and b"Ada" not in held
    disguise(shop, _DISGUISE_CUSTOMER, customer["id"])
    assert merchant.get(path) == customer
    changed = told(merchant.ask("PATCH", path, {"name": "Ada King"}), 200)
    assert merchant.get(path) == changed
    told(merchant.ask("DELETE", path), 200)
    for _ in range(3):
        assert merchant.ask("GET", path).status_code == 404


def test_no_decision_is_made_from_memory(merchant: Merchant, valkey: redis.Redis) -> None:
    payment = merchant.pay(amount=5000)["id"]
    key = key_of(merchant, "payment", payment)
    assert eventually(lambda: valkey.exists(key), 10.0)
    rewritten(valkey, key, status="authorized", amount_captured=99999999, amount=99999999)
    assert merchant.payment(payment)["status"] == "authorized"
    assert error(merchant.act(payment, "capture"))[:2] == (422, "payment_unexpected_state")
    assert error(merchant.act(payment, "cancel"))[:2] == (422, "payment_unexpected_state")
    too_much = merchant.act(payment, "refunds", {"amount": 5001})
    assert error(too_much)[:2] == (422, "refund_exceeds_capture")


def test_nothing_is_shown_to_another_merchant(
    merchant: Merchant, rival: Merchant, valkey: redis.Redis
) -> None:
    payment = merchant.pay()["id"]
    key = key_of(merchant, "payment", payment)
    assert eventually(lambda: valkey.exists(key), 10.0)
    path = f"/v1/payments/{payment}"
    assert error(rival.ask("GET", path))[:2] == (404, "resource_missing")
    # Even where it lies under the rival's name, a row says whose it is.
    stored = valkey.get(key)
    assert isinstance(stored, bytes)
    valkey.set(key_of(rival, "payment", payment), stored)
    assert error(rival.ask("GET", path))[:2] == (404, "resource_missing")


def test_valkey_may_be_emptied_or_lost_at_any_time(
    shop: Shop, merchant: Merchant, valkey: redis.Redis
) -> None:
    customer = merchant.customer()
    payment = merchant.pay()
    for _ in range(20):
        valkey.flushall()
        assert merchant.payment(payment["id"]) == payment
        assert merchant.get(f"/v1/customers/{customer['id']}") == customer
    process = shop.serving.process_id("valkey")
    os.kill(process, signal.SIGKILL)
    for number in range(20):
        assert merchant.payment(payment["id"]) == payment
        path = f"/v1/customers/{customer['id']}"
        named = told(merchant.ask("PATCH", path, {"name": str(number)}), 200)
        assert merchant.get(path) == named
    assert eventually(lambda: shop.serving.process_id("valkey") != process, LINK_SECONDS)
    again = merchant.pay()
    assert merchant.payment(again["id"]) == again


def test_an_older_row_never_takes_the_place_of_a_newer_one(shop: Shop) -> None:
    asyncio.run(_orders(redis_url(shop)))


async def _orders(url: str) -> None:
    rows = RememberedRows(url)
    rows.start()
    merchant, one = uuid4(), uuid4()

    def row(name: str) -> dict[str, Any]:
        fixed = {"id": one, "merchant_id": merchant, "livemode": False, "metadata": {}}
        named = {"email_sealed": None, "name_sealed": name.encode()}
        return {**fixed, **named, "revision": 1, "created_at": None}

    async def shown() -> str | None:
        found = await rows.read("customer", merchant, False, one)
        return None if found is None else found["name_sealed"].decode()

    def write(name: str, order: int, *, unknown: bool = False, age: float = 0.0) -> None:
        rows.write(Changed("customer", row(name), order, unknown), rows.moment() - age)

    try:
        while not await _linked(rows, merchant):
            await asyncio.sleep(0.05)
        for name, order, expected in (
            ("second", 2, "second"),
            ("first", 1, "second"),
            ("second again", 2, "second"),
            ("third", 3, "third"),
        ):
            write(name, order)
            assert await shown() == expected
        write("late", 4, age=WRITTEN_WITHIN_SECONDS + 1)
        assert await shown() == "third"
        # A mark: nothing is known of order 3, and nothing older or as old comes back.
        write("", 3, unknown=True)
        assert await shown() is None
        write("third", 3)
        write("second", 2)
        assert await shown() is None
        write("fourth", 4)
        assert await shown() == "fourth"
        write("", 3, unknown=True)
        assert await shown() == "fourth"
        assert await rows.read("customer", merchant, True, one) is None
        assert await rows.read("payment", merchant, False, one) is None
    finally:
        await rows.close()


async def _linked(rows: RememberedRows, merchant: UUID) -> bool:
    probe = uuid4()
    row = {"id": probe, "merchant_id": merchant, "livemode": True, "metadata": {}}
    row |= {"email_sealed": None, "name_sealed": None, "revision": 1, "created_at": None}
    rows.write(Changed("customer", row, 1), rows.moment())
    return await rows.read("customer", merchant, True, probe) is not None
