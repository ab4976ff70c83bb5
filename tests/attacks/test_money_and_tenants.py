"""Attacks on money and on what is another merchant's, that no other test sends.

docs/threats.md says which test sends which attack of the list.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.journeys.accounts import new_key, using
from tests.shop import Merchant, Shop, error, told

TOO_MUCH = 99_999_999 + 1
NO_AMOUNTS = [
    (b"-1", "amount_too_small"),
    (b"0", "amount_too_small"),
    (b"-0", "amount_too_small"),
    (b"1e3", "parameter_invalid_type"),
    (b"100.0", "parameter_invalid_type"),
    (b'"100"', "parameter_invalid_type"),
    (b"true", "parameter_invalid_type"),
    (b"null", "parameter_invalid_type"),
    (b"[100]", "parameter_invalid_type"),
    (b"%d" % TOO_MUCH, "amount_too_large"),
    (b"%d" % 2**53, "amount_too_large"),
    (b"%d" % 2**64, "amount_too_large"),
    (b"1" + b"0" * 20, "amount_too_large"),
    (b"NaN", "json_invalid"),
    (b"Infinity", "json_invalid"),
    (b"1_000", "json_invalid"),
    (b"+100", "json_invalid"),
]
JSON = {"Content-Type": "application/json"}
# What only we write: each is a field of a payment that is answered.
READ_ONLY = {
    "id": "pay_019d7cd3e8417f5a9c2b7d4e6f8a0b13",
    "object": "payment",
    "status": "captured",
    "livemode": True,
    "merchant_id": "mch_019d7cd3e8417f5a9c2b7d4e6f8a0b13",
    "amount_captured": 5000,
    "amount_refunded": -5000,
    "amount_capturable": 0,
    "amount_disputed": 0,
    "captured_at": "2026-04-11T14:30:00.000Z",
    "created_at": "2026-04-11T14:30:00.000Z",
    "failure_code": None,
    "network": "visa",
    "idempotency_key": str(uuid4()),
    "__proto__": {},
    "constructor": {},
}


@pytest.fixture(scope="module")
def victim(shop: Shop) -> Merchant:
    return shop.open_account()


@pytest.fixture(scope="module")
def thief(shop: Shop) -> Merchant:
    return shop.open_account()


@pytest.fixture(scope="module")
def held(victim: Merchant) -> str:
    return str(victim.pay(capture=False, amount=5000)["id"])


@pytest.fixture(scope="module")
def taken(victim: Merchant) -> str:
    return str(victim.pay(amount=5000)["id"])


def act(merchant: Merchant, path: str, body: bytes) -> httpx.Response:
    headers = {**JSON, "Idempotency-Key": str(uuid4())}
    return merchant.ask("POST", path, content=body, headers=headers)


@pytest.mark.parametrize(("amount", "code"), NO_AMOUNTS)
def test_an_amount_that_is_none_is_refused_on_every_path_that_moves_money(
    victim: Merchant, held: str, taken: str, amount: bytes, code: str
) -> None:
    """A refund may be small, so its codes for too little are its own."""
    payment = b'{"currency":"usd","payment_method_id":"tok_1","amount":' + amount + b"}"
    assert error(act(victim, "/v1/payments", payment))[1] == code
    body = b'{"amount":' + amount + b"}"
    for path in (f"/v1/payments/{held}/capture", f"/v1/payments/{taken}/refunds"):
        answer = act(victim, path, body)
        own = {"amount_too_small": "parameter_too_small", "amount_too_large": "parameter_too_large"}
        assert answer.status_code == 400, (path, answer.text)
        assert error(answer)[1] in (code, own.get(code))
    assert victim.payment(held)["status"] == "authorized"
    assert victim.payment(taken)["amount_refunded"] == 0


@pytest.mark.parametrize(
    ("amount", "code"), [each for each in NO_AMOUNTS if each[1] != "json_invalid"]
)
def test_an_amount_that_is_none_is_refused_in_a_batch(
    victim: Merchant, amount: bytes, code: str
) -> None:
    item = b'{"currency":"usd","payment_method_id":"tok_1","idempotency_key":"%s","amount":%s}'
    body = b'{"payments":[' + item % (str(uuid4()).encode(), amount) + b"]}"
    (result,) = told(act(victim, "/v1/payments/batch", body), 207)["data"]
    assert (result["status"], result["error"]["code"]) == (400, code)
    assert result["error"]["param"] == "amount"


@pytest.mark.parametrize("name", READ_ONLY)
def test_a_read_only_field_is_refused_in_bodies_and_items(
    victim: Merchant, held: str, name: str
) -> None:
    """Mass assignment: what a body does not declare is not taken, whatever its value."""
    given = {name: READ_ONLY[name]}
    good = {"amount": 5000, "currency": "usd", "payment_method_id": "tok_1"}
    for path, body in (
        ("/v1/payments", {**good, **given}),
        (f"/v1/payments/{held}/capture", given),
        ("/v1/customers", given),
    ):
        answer = victim.ask("POST", path, body, key=str(uuid4()))
        assert error(answer)[:2] == (400, "parameter_unknown")
    key = {"idempotency_key": READ_ONLY["idempotency_key"]}
    item = {**good, **key, **given}
    (result,) = told(victim.ask("POST", "/v1/payments/batch", {"payments": [item]}), 207)["data"]
    unknown = name not in key
    assert result["error"]["code"] == ("parameter_unknown" if unknown else "resource_missing")


@pytest.mark.parametrize(
    "field", ["status", "livemode", "id", "kyc_status", "rate_limit_multiplier", "merchant_id"]
)
def test_a_merchant_does_not_raise_itself(victim: Merchant, field: str) -> None:
    path = f"/v1/merchants/{victim.id}"
    before = victim.get(path)
    value: Any = {"livemode": True, "rate_limit_multiplier": 1000}.get(field, "active")
    answer = victim.ask("PATCH", path, {field: value})
    assert answer.status_code in (400, 403), answer.text
    assert victim.get(path) == before


def test_metadata_is_text_whatever_its_names_say(victim: Merchant) -> None:
    names = [name for name in READ_ONLY if name != "__proto__"]
    metadata = dict.fromkeys([*names, "__proto__", "amount"], "captured")
    made = victim.pay(capture=False, metadata=metadata)
    shown = victim.payment(made["id"])
    assert shown["metadata"] == metadata
    assert (shown["status"], shown["amount"], shown["livemode"]) == ("authorized", 10000, False)


def test_fields_show_nothing_of_another_merchant(
    victim: Merchant, thief: Merchant, taken: str
) -> None:
    for fields in ("id", "merchant_id", "metadata", "amount,status"):
        answer = thief.ask("GET", f"/v1/payments/{taken}", params={"fields": fields})
        assert error(answer)[:2] == (404, "resource_missing")
    for fields in ("merchant_id.secret", "*", "id;id", "_id", "id,,amount", "customer.email"):
        answer = victim.ask("GET", f"/v1/payments/{taken}", params={"fields": fields})
        assert answer.status_code == 400, fields


def test_a_kept_answer_is_not_served_to_another(
    shop: Shop, victim: Merchant, thief: Merchant, taken: str
) -> None:
    """The victim's tag opens nothing, and shared caches are told to keep nothing."""
    path = f"/v1/payments/{taken}"
    answer = victim.ask("GET", path)
    tag = answer.headers["etag"]
    assert victim.ask("GET", path, headers={"If-None-Match": tag}).status_code == 304
    assert "private" in answer.headers["cache-control"]
    assert "authorization" in answer.headers["vary"].lower()
    for each in (tag, "*", f"W/{tag}"):
        refused = thief.ask("GET", path, headers={"If-None-Match": each})
        assert error(refused)[:2] == (404, "resource_missing")
    for listed in ("/v1/payments", "/v1/customers"):
        ours, theirs = (merchant.ask("GET", listed) for merchant in (victim, thief))
        assert ours.headers["etag"] != theirs.headers["etag"]
        assert taken not in theirs.text


def test_a_replay_is_held_to_the_scope_again(victim: Merchant) -> None:
    """Who may not ask any more is not shown what it was answered before."""
    key = str(uuid4())
    told(victim.ask("POST", "/v1/customers", {"name": "Ada"}, key=key), 201)
    reader = using(victim, new_key(victim, scopes=["customers:read"]))
    answer = reader.ask("POST", "/v1/customers", {"name": "Ada"}, key=key)
    assert error(answer)[:2] == (403, "insufficient_scope")
    assert "Ada" not in answer.text


def test_a_refund_and_a_capture_at_once_do_not_both_win(shop: Shop, victim: Merchant) -> None:
    """Nothing is given back that was not taken, in whatever order the two arrive."""
    for _ in range(5):
        payment = str(victim.pay(capture=False, amount=5000)["id"])
        with ThreadPoolExecutor(4) as threads:
            captures = [threads.submit(victim.act, payment, "capture", {}) for _ in range(2)]
            refunds = [
                threads.submit(victim.act, payment, "refunds", {"amount": 5000}) for _ in range(2)
            ]
        captured = [each.result().status_code for each in captures]
        refunded = [each.result().status_code for each in refunds]
        assert sorted(captured) == [200, 422]
        assert refunded.count(201) <= 1 and set(refunded) <= {201, 422}
        shown = victim.payment(payment)
        assert 0 <= shown["amount_refunded"] <= shown["amount_captured"] == 5000


@pytest.mark.parametrize(
    "currency",
    ["USD", "usd ", " usd", "us", "usdd", "xxx", "\uff55\uff53\uff44", "u\u200bsd", "840"],
)
def test_a_currency_of_another_spelling_is_none(victim: Merchant, currency: str) -> None:
    answer = victim.pay_answer("tok_1", currency=currency)
    assert error(answer)[::2] == (400, "currency")
    answer = victim.ask("GET", "/v1/payments", params={"currency": currency})
    assert error(answer)[::2] == (400, "currency")
