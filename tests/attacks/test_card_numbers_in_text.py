"""A card number in any text that is kept: refused with the field's name, kept nowhere.

The requests are made from the document, so a text that is added is tested without anybody
remembering it; and a field that is exempt must be in the list below.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import pytest

from contract.document import House, Place, operations_of, resolved
from contract.free_text import CARD_NUMBER_IN_TEXT, FreeText, is_free_text
from tests.document import DOCUMENT
from tests.shop import Merchant, Shop, bearer, error, told

NUMBER = "4485383550284604"
FULL_WIDTH = NUMBER.translate({ord("0") + n: 0xFF10 + n for n in range(10)})
# Forms of a text that holds the number and still fits the field's pattern.
FORMS = {
    "email": f"{NUMBER}@shop.example",
    "url": f"https://shop.example.com/{NUMBER}",
    "webhook_url": f"https://shop.example.com/{NUMBER}",
    "receipt_url": f"https://shop.example.com/{NUMBER}",
    "path": f"/v1/{NUMBER}",
    "return_to": f"/{NUMBER}",
    "redirect_uris[]": f"https://shop.example.com/{NUMBER}",
}
HOUSES: tuple[House, ...] = ("gateway", "vault")
# Texts by their type in which no card number is looked for, because none could be kept: ids
# and tokens (404), digests, cursors, addresses, and what the vault keeps under seal.
EXEMPT = {
    *("bank_account.account_number", "card.number", "customer_id", "cvc", "file_digest"),
    *("ip_allowlist[]", "merchant_id", "object_id", "payment_id", "payment_method_id", "token"),
    *("hold_id", "payout_id"),
    *("wallet.payload", "webhook_endpoint_id", "idempotency_key", "resource_id", "fields"),
    *("starting_after", "ending_before", "card.cvc"),
    # A digest on our own forms; a word of eight characters, too short for a card number.
    *("form_token", "mode"),
    # Kept as a hash.
    "password",
}


class Text(NamedTuple):
    """One free text: its operation, `query` or `body`, and the place."""

    place: Place
    source: str
    name: str

    def __str__(self) -> str:
        return f"{self.place.node['operationId']} {self.source} {self.name}"


def requests() -> Iterator[tuple[Place, str, str, dict[str, Any]]]:
    """Every schema of a query or body, each alternative by itself."""
    for place in (p for house in HOUSES for p in operations_of(DOCUMENT, house)):
        for parameter in place.parameters:
            if parameter["in"] == "query":
                yield place, "query", parameter["name"], parameter["schema"]
        for media in place.node.get("requestBody", {}).get("content", {}).values():
            whole = resolved(DOCUMENT, media["schema"])
            for alternative in whole.get("oneOf", [whole]):
                yield place, "body", "", alternative


TEXTS = [
    Text(place, source, inside or name)
    for place, source, name, schema in requests()
    for inside in FreeText(DOCUMENT, schema).places()
    or ([name] if FreeText(DOCUMENT, schema) else [])
]


def strings(schema: dict[str, Any], name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every string of a schema that is no enum, date or UUID, with its place."""
    whole = resolved(DOCUMENT, schema)
    known = {"enum", "const"} & whole.keys() or whole.get("format") in ("date-time", "uuid")
    if "string" in whole.get("type", ()) and not known:
        yield name.removeprefix("."), whole
    for key, child in whole.get("properties", {}).items():
        yield from strings(child, f"{name}.{key}")
    if isinstance(whole.get("additionalProperties"), dict):
        yield from strings(whole["additionalProperties"], f"{name}.*")
    if "items" in whole:
        yield from strings(whole["items"], f"{name}[]")


def test_every_text_is_searched_or_exempt_by_name() -> None:
    """A new exempt field fails here, until somebody has looked at it."""
    exempt = {
        place or name
        for _, _, name, schema in requests()
        for place, each in strings(schema)
        if not is_free_text(each)
    }
    assert exempt <= EXEMPT
    covered = {text.name for text in TEXTS}
    assert covered >= {"description", "metadata.*", "name", "email", "text", "kyc_reference"}
    assert covered >= {"customer_communication", "shipping_tracking", "business_name", "url"}


def example(text: Text) -> dict[str, Any]:
    """The document's example of the body to which this text belongs."""
    (media,) = text.place.node["requestBody"]["content"].values()
    first = text.name.partition(".")[0].removesuffix("[]")
    found: dict[str, Any] = {}
    for given in media["examples"].values():
        value = resolved(DOCUMENT, given)["value"]
        found = value if not found or first in value else found
    return found


def with_text(body: dict[str, Any], name: str, value: str) -> dict[str, Any]:
    """The body with this value in the place of a text."""
    first, _, rest = name.partition(".")
    if rest == "*":
        return {**body, first: {"order_id": value}}
    if first.endswith("[]"):
        return {**body, first.removesuffix("[]"): [value]}
    return {**body, first: with_text(body[first], rest, value) if rest else value}


@pytest.fixture(scope="module")
def payer(shop: Shop) -> Merchant:
    return shop.open_account()


@pytest.mark.parametrize("text", TEXTS, ids=str)
def test_a_card_number_is_refused_wherever_a_text_is_kept(
    shop: Shop, payer: Merchant, text: Text
) -> None:
    node, path = text.place.node, text.place.path
    last = text.name.rpartition(".")[2]
    value = FORMS.get(last, NUMBER)
    options: dict[str, Any] = {"params": {text.name: value}}
    if text.source == "body":
        (media_type,) = node["requestBody"]["content"]
        sent_as = "json" if media_type == "application/json" else "data"
        options = {sent_as: with_text(example(text), text.name, value)}
    scheme, scopes = next(iter(next(iter(node["security"]), {"": []}).items()))
    key = payer.publishable_key if scheme == "PublishableKey" else payer.secret_key
    key = shop.platform_key if scopes == ["platform:admin"] else key
    headers = {**bearer(key), "Idempotency-Key": str(uuid4())}
    door = shop.vault if node["x-house"] == "vault" else shop.http
    filled = path.replace("{merchant_id}", payer.id).replace("{", "").replace("}", "")
    answer = door.request(text.place.method.upper(), filled, headers=headers, **options)
    assert NUMBER not in answer.text
    # Forms are answered by pages, or in the words of OAuth (RFC 6749 section 5.2).
    if "data" in options:
        assert 400 <= answer.status_code < 500
        return
    if node["tags"] == ["pages"]:
        assert (answer.status_code, CARD_NUMBER_IN_TEXT in answer.text) == (400, True)
        return
    named = text.name.replace(".*", ".order_id").replace("[]", "[0]")
    assert error(answer) == (400, CARD_NUMBER_IN_TEXT, named)


def pay(payer: Merchant, **fields: Any) -> httpx.Response:
    return payer.pay_answer("tok_1", **fields)


@pytest.mark.parametrize(
    ("metadata", "param"),
    [
        ({"order_id": NUMBER}, "metadata.order_id"),
        ({"a": "b", "note": f"see {NUMBER}"}, "metadata.note"),
        ({"a": "4485-3835-5028-4604"}, "metadata.a"),
        ({"a": "4485\u00a03835\u00a05028\u00a04604"}, "metadata.a"),
        ({"a": "4485\u200b383550284604"}, "metadata.a"),
        ({"a": FULL_WIDTH}, "metadata.a"),
        ({f"n{NUMBER}": "x"}, "metadata"),
        ({NUMBER: "x"}, "metadata"),
        ({"card_4485_3835_5028_4604": "x"}, "metadata"),
        ({NUMBER: NUMBER}, "metadata"),
        ({"n4485383550284605": NUMBER}, "metadata"),
    ],
)
def test_metadata_by_key_and_by_value(
    payer: Merchant, metadata: dict[str, str], param: str
) -> None:
    answer = pay(payer, metadata=metadata)
    assert error(answer) == (400, CARD_NUMBER_IN_TEXT, param)
    assert NUMBER not in answer.text


def test_an_escaped_digit_is_a_digit(payer: Merchant) -> None:
    """The JSON reader has undone the escapes before anybody looks."""
    escaped = "".join(f"\\u{ord(digit):04x}" for digit in NUMBER)
    head = '{"amount":5000,"currency":"usd","payment_method_id":"t","description":"'
    body = head + escaped + '"}'
    sent = {"Content-Type": "application/json", "Idempotency-Key": str(uuid4())}
    answer = payer.ask("POST", "/v1/payments", content=body, headers=sent)
    assert error(answer) == (400, CARD_NUMBER_IN_TEXT, "description")


def test_the_schema_answers_before_and_the_key_after(payer: Merchant) -> None:
    """Stage `schema`, and there the last: a body that breaks the document says so first."""
    assert error(pay(payer, description=NUMBER, amount=49))[1] == "amount_too_small"
    body = {"amount": 5000, "currency": "usd", "payment_method_id": "t", "description": NUMBER}
    assert error(payer.ask("POST", "/v1/payments", body))[1] == CARD_NUMBER_IN_TEXT


@pytest.mark.parametrize("place", ["description", "metadata"])
def test_an_item_of_a_batch_is_refused_alone(payer: Merchant, place: str) -> None:
    good = {"amount": 5000, "currency": "usd"}
    text: Any = NUMBER if place == "description" else {"order_id": NUMBER}
    items = [
        {**good, "payment_method_id": payer.tokenise(), "idempotency_key": str(uuid4())},
        {**good, "payment_method_id": "t", "idempotency_key": str(uuid4()), place: text},
    ]
    answer = told(payer.ask("POST", "/v1/payments/batch", {"payments": items}), 207)
    first, second = answer["data"]
    assert (first["status"], second["status"]) == (201, 400)
    fault = second["error"]
    assert fault["code"] == CARD_NUMBER_IN_TEXT
    assert fault["param"] == ("description" if place == "description" else "metadata.order_id")
    assert NUMBER not in str(second)


@pytest.mark.parametrize("version", ["2025-09-15", "2026-04-01"])
def test_no_version_lets_it_pass(payer: Merchant, version: str) -> None:
    headers = {"Paymint-Version": version, "Idempotency-Key": str(uuid4())}
    body = {"amount": 5000, "currency": "usd", "payment_method_id": "t", "description": NUMBER}
    answer = payer.ask("POST", "/v1/payments", body, headers=headers)
    assert answer.status_code in (400, 410)
    assert answer.json()["error"]["code"] in (CARD_NUMBER_IN_TEXT, "api_version_brownout")


def test_ids_and_ordinary_texts_pass(payer: Merchant) -> None:
    metadata = {"order_id": str(uuid4()), "payment": f"pay_{uuid4().hex}", "tel": "+4915123456784"}
    customer = payer.customer(metadata=metadata, email="a@b.example")
    assert customer["metadata"] == metadata
    assert payer.get("/v1/customers", email="a@b.example")["data"][0]["id"] == customer["id"]


def test_nothing_of_it_was_kept(shop: Shop, payer: Merchant) -> None:
    for path in ("/v1/customers", "/v1/events", "/v1/request_logs", "/v1/payments"):
        shown = payer.ask("GET", path, params={"limit": 100}).text
        assert NUMBER not in shown and "4485-3835" not in shown and FULL_WIDTH not in shown
