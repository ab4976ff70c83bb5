"""Blueprint section 9, "Input Sanitization Checklist", line by line."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from generated.operations import OPERATIONS, OperationRow
from tests.document import DOCUMENT
from tests.shop import Merchant, Shop, error, told

KB = 1024
BODY_MAX, BATCH_MAX = 256 * KB, 1024 * KB
JSON = {"Content-Type": "application/json"}
GOOD = b'{"amount":5000,"currency":"usd","payment_method_id":"tok_1"}'
PAYMENT: dict[str, Any] = {"amount": 5000, "currency": "usd", "payment_method_id": "tok_1"}


@pytest.fixture(scope="module")
def client(shop: Shop) -> Merchant:
    return shop.open_account()


def send(
    client: Merchant, body: bytes, path: str = "/v1/payments", **headers: str
) -> httpx.Response:
    sent = {**JSON, "Idempotency-Key": str(uuid4()), **headers}
    return client.ask("POST", path, content=body, headers=sent)


def pay(client: Merchant, **fields: Any) -> httpx.Response:
    return client.ask("POST", "/v1/payments", {**PAYMENT, **fields}, key=str(uuid4()))


def with_json_body() -> list[OperationRow]:
    """The operations of the main house that take JSON."""
    return [
        row
        for row in OPERATIONS
        if row.house == "gateway"
        and "application/json"
        in DOCUMENT["paths"][row.path][row.method.lower()].get("requestBody", {}).get("content", {})
    ]


@pytest.mark.parametrize(
    ("path", "limit"), [("/v1/payments", BODY_MAX), ("/v1/payments/batch", BATCH_MAX)]
)
def test_payloads_over_the_limit_are_rejected(client: Merchant, path: str, limit: int) -> None:
    """> 256 KB, batch endpoints: 1 MB; one of exactly that length is read."""
    at_limit = GOOD + b" " * (limit - len(GOOD))
    assert error(send(client, at_limit, path))[1] != "payload_too_large"
    assert error(send(client, at_limit + b" ", path)) == (413, "payload_too_large", None)


def test_the_limits_stand_in_the_document() -> None:
    limits = {
        row.operation_id: DOCUMENT["paths"][row.path][row.method.lower()]["x-max-body-bytes"]
        for row in with_json_body()
    }
    assert limits.pop("create_payment_batch") == BATCH_MAX
    assert set(limits.values()) == {BODY_MAX}


@pytest.mark.parametrize("row", with_json_body(), ids=lambda row: row.operation_id)
def test_the_content_type_must_be_json_on_every_operation(
    shop: Shop, client: Merchant, row: OperationRow
) -> None:
    path = row.path.replace("{", "").replace("}", "")
    operators = row.scopes == (("platform:admin",),)
    key = shop.platform_key if operators else client.secret_key
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "text/json"):
        headers = {"Authorization": f"Bearer {key}", "Content-Type": content_type}
        answer = shop.http.request(row.method, path, content=b"{}", headers=headers)
        assert error(answer) == (415, "content_type_unsupported", None)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (GOOD[:-1] + b',"amount":5000}', "json_duplicate_key"),
        (b"/* comment */" + GOOD, "json_invalid"),
        (b"// comment\n" + GOOD, "json_invalid"),
        (GOOD[:-1] + b",}", "json_invalid"),
        (b'{"amount":[1,],"currency":"usd"}', "json_invalid"),
    ],
)
def test_json_is_parsed_strictly(client: Merchant, body: bytes, code: str) -> None:
    """No duplicate keys, no comments, no trailing commas."""
    assert error(send(client, body)) == (400, code, None)


@pytest.mark.parametrize(
    ("field", "maximum"), [("description", 500), ("payment_method_id", 64), ("customer_id", 64)]
)
def test_strings_have_a_maximum_length(client: Merchant, field: str, maximum: int) -> None:
    answer = pay(client, **{field: "x" * (maximum + 1)})
    assert error(answer) == (400, "parameter_too_long", field)
    assert error(pay(client, **{field: "x" * maximum}))[1] != "parameter_too_long"


def test_every_string_of_a_request_has_a_maximum_length() -> None:
    """Or is one of a list, which is shorter still."""
    schemas = DOCUMENT["components"]["schemas"]
    unbounded = [
        name
        for name, schema in schemas.items()
        for each in _strings(schema)
        if name.endswith(("Create", "Update", "Request", "Details"))
        and not each.keys() & {"maxLength", "enum", "const", "$ref"}
    ]
    assert unbounded == []


def _strings(schema: dict[str, Any]) -> list[dict[str, Any]]:
    own = [schema] if "string" in schema.get("type", ()) else []
    return own + [
        found for each in schema.get("properties", {}).values() for found in _strings(each)
    ]


@pytest.mark.parametrize("control", ["\x00", "\x01", "\x08", "\x1b", "\x7f", "\x9f"])
def test_null_bytes_and_control_characters_are_rejected(client: Merchant, control: str) -> None:
    for fields, param in (
        ({"description": f"a{control}"}, "description"),
        ({"metadata": {"a": control}}, "metadata"),
        ({"payment_method_id": f"tok{control}"}, "payment_method_id"),
    ):
        assert error(pay(client, **fields)) == (400, "parameter_invalid_format", param)


@pytest.mark.parametrize("key", ["", "a-b", "a b", "a.b", "é", "<b>", "a" * 41])
def test_metadata_keys(client: Merchant, key: str) -> None:
    """Alphanumeric and underscore only, at most 40 characters."""
    assert error(pay(client, metadata={key: "x"})) == (400, "metadata_key_invalid", "metadata")
    made = client.customer(metadata={"A_9" + "k" * 37: "x"})
    assert len(next(iter(made["metadata"]))) == 40


def test_metadata_values(client: Merchant) -> None:
    """At most 500 characters, and escaped on output: nothing that a browser could run."""
    answer = pay(client, metadata={"a": "x" * 501})
    assert error(answer) == (400, "parameter_too_long", "metadata")
    value = "<script>alert('&')</script>\u2028" + "x" * 472
    assert len(value) == 500
    made = client.customer(metadata={"a": value})
    answer = client.ask("GET", f"/v1/customers/{made['id']}")
    assert told(answer, 200)["metadata"] == {"a": value}
    assert not [mark for mark in "<>&\u2028" if mark in answer.text]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (49, "amount_too_small"),
        (0, "amount_too_small"),
        (-50, "amount_too_small"),
        (100_000_000, "amount_too_large"),
        (50.5, "parameter_invalid_type"),
        (50.0, "parameter_invalid_type"),
        ("50", "parameter_invalid_type"),
        (True, "parameter_invalid_type"),
        (None, "parameter_invalid_type"),
    ],
)
def test_amounts_are_integers_between_the_bounds(client: Merchant, amount: Any, code: str) -> None:
    assert error(pay(client, amount=amount)) == (400, code, "amount")


@pytest.mark.parametrize("amount", [50, 99_999_999])
def test_the_bounds_are_amounts(client: Merchant, amount: int) -> None:
    assert error(pay(client, amount=amount)) == (404, "resource_missing", "payment_method_id")


def test_unknown_fields_are_rejected_at_every_level(client: Merchant) -> None:
    assert error(pay(client, ammount=1))[:2] == (400, "parameter_unknown")
    item = {**PAYMENT, "idempotency_key": str(uuid4()), "x": 1}
    (result,) = told(client.ask("POST", "/v1/payments/batch", {"payments": [item]}), 207)["data"]
    assert result["error"]["code"] == "parameter_unknown"
    body = {"type": "card", "card": {"number": "4242424242424242", "x": 1}}
    assert error(client.token_answer(body)) == (400, "parameter_unknown", "card")


def test_every_body_of_the_document_is_closed() -> None:
    """An object without `additionalProperties: false` would take what nobody declared."""
    for row in with_json_body():
        body = DOCUMENT["paths"][row.path][row.method.lower()]["requestBody"]
        schema = body["content"]["application/json"]["schema"]
        whole = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        for each in whole.get("oneOf", [whole]):
            named = (
                DOCUMENT["components"]["schemas"][each["$ref"].rpartition("/")[2]]
                if "$ref" in each
                else each
            )
            assert named["additionalProperties"] is False, row.operation_id


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example.com/hook",
        "ftp://shop.example.com/hook",
        "https://localhost/hook",
        "https://127.0.0.1/hook",
        "https://10.0.0.1/hook",
        "https://172.16.0.1/hook",
        "https://192.168.0.1/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/hook",
        "https://[fd00::1]/hook",
    ],
)
def test_urls_are_https_and_public(client: Merchant, url: str) -> None:
    for answer, field in (
        (client.ask("POST", "/v1/webhook_endpoints", {"url": url}), "url"),
        (client.ask("PATCH", f"/v1/merchants/{client.id}", {"webhook_url": url}), "webhook_url"),
    ):
        status, code, param = error(answer)
        assert (status, param) == (400, field)
        assert code in ("url_not_https", "url_not_public", "parameter_invalid_format")
