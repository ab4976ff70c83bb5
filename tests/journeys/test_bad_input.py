"""Bad input over a real socket: the envelope, and a code that says precisely what is wrong."""

import socket
from uuid import uuid4

import httpx
import pytest

from generated.operations import OPERATIONS
from tests.shop import Merchant, Shop, bearer, error, told

GOOD = b'{"amount":5000,"currency":"usd","payment_method_id":"tok_1"}'
KEY = "550e8400-e29b-41d4-a716-446655440000"
JSON = {"Content-Type": "application/json"}
MAX_BODY_BYTES = 262_144
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"}


def with_amount(text: bytes) -> bytes:
    return GOOD.replace(b"5000", text)


def with_field(text: bytes) -> bytes:
    return GOOD.replace(b"}", b"," + text + b"}")


def send(merchant: Merchant, body: bytes, **headers: str) -> httpx.Response:
    """These very bytes to POST /v1/payments."""
    sent = {**JSON, "Idempotency-Key": str(uuid4()), **headers}
    return merchant.ask("POST", "/v1/payments", content=body, headers=sent)


BODIES = [
    (with_amount(b"100.0"), "parameter_invalid_type", "amount"),
    (with_amount(b'"100"'), "parameter_invalid_type", "amount"),
    (with_amount(b"1e3"), "parameter_invalid_type", "amount"),
    (with_amount(b"1E400"), "parameter_invalid_type", "amount"),
    (with_amount(b"true"), "parameter_invalid_type", "amount"),
    (with_amount(b"null"), "parameter_invalid_type", "amount"),
    (with_amount(b"[5000]"), "parameter_invalid_type", "amount"),
    (with_amount(b"-0"), "amount_too_small", "amount"),
    (with_amount(b"0"), "amount_too_small", "amount"),
    (with_amount(b"-5000"), "amount_too_small", "amount"),
    (with_amount(b"49"), "amount_too_small", "amount"),
    (with_amount(b"100000000"), "amount_too_large", "amount"),
    (with_amount(b"9007199254740993"), "amount_too_large", "amount"),
    (with_amount(b"100000000000000000000"), "amount_too_large", "amount"),
    (with_amount(b"NaN"), "json_invalid", None),
    (with_amount(b"Infinity"), "json_invalid", None),
    (with_amount(b"05000"), "json_invalid", None),
    (with_amount(b"0x1388"), "json_invalid", None),
    (GOOD.replace(b"usd", b"USD"), "invalid_currency", "currency"),
    (GOOD.replace(b"usd", b"xxx"), "invalid_currency", "currency"),
    (GOOD.replace(b"usd", b"usd "), "parameter_invalid", "currency"),
    (GOOD.replace(b"usd", "\uff55\uff53\uff44".encode()), "parameter_invalid", "currency"),
    (with_field(b'"idempotency_key":"x"'), "parameter_unknown", None),
    (with_field(b'"status":"captured"'), "parameter_unknown", None),
    (with_field(b'"amount_captured":0'), "parameter_unknown", None),
    (with_field(b'"amount":6000'), "json_duplicate_key", None),
    (with_field(b'"\\u0061mount":6000'), "json_duplicate_key", None),
    (with_field(b'"metadata":{"a":"1","a":"2"}'), "json_duplicate_key", None),
    (with_field(b'"description":"a\\u0000b"'), "parameter_invalid_format", "description"),
    (with_field(b'"description":"a\x00b"'), "json_invalid", None),
    (with_field(b'"description":"a\x01b"'), "json_invalid", None),
    (with_field(b'"description":"\\ud800"'), "json_invalid", None),
    (with_field(b'"description":"\\udc00\\ud800"'), "json_invalid", None),
    (with_field(b'"description":"\xff"'), "json_invalid", None),
    (with_field(b'"description":"' + b"x" * 501 + b'"'), "parameter_too_long", "description"),
    (with_field(b'"metadata":{"a b":"x"}'), "metadata_key_invalid", "metadata"),
    (with_field(b'"metadata":{"a":null}'), "parameter_invalid_type", "metadata"),
    (with_field(b'"capture":"false"'), "parameter_invalid_type", "capture"),
    (GOOD[:-1], "json_invalid", None),
    (GOOD + GOOD, "json_invalid", None),
    (b"{'amount':5000}", "json_invalid", None),
    (b"amount=5000", "json_invalid", None),
    (b"[" * 100_000, "json_invalid", None),
    (b"\xef\xbb\xbf" + GOOD, "json_invalid", None),
    (GOOD.decode().encode("utf-16"), "json_invalid", None),
    (b"", "body_missing", None),
    (b"null", "body_not_object", None),
    (b'"text"', "body_not_object", None),
    (b"[" + GOOD + b"]", "body_not_object", None),
]


@pytest.mark.parametrize(("body", "code", "param"), BODIES)
def test_a_body_that_breaks_the_document(
    shared_merchant: Merchant, body: bytes, code: str, param: str | None
) -> None:
    assert error(send(shared_merchant, body)) == (400, code, param)


@pytest.fixture(scope="module")
def shared_merchant(shop: Shop) -> Merchant:
    """One for all: nothing here may have an effect."""
    return shop.open_account()


def test_nothing_of_it_had_an_effect(shop: Shop, shared_merchant: Merchant) -> None:
    assert shared_merchant.get("/v1/payments")["total_count"] == 0
    assert shared_merchant.events() == []


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=latin-1",
        "application/jsonp",
        "application/json, text/plain",
        "multipart/form-data; boundary=x",
        "",
    ],
)
def test_another_content_type_is_415(shared_merchant: Merchant, content_type: str) -> None:
    answer = send(shared_merchant, GOOD, **{"Content-Type": content_type})
    assert error(answer) == (415, "content_type_unsupported", None)


def test_a_coded_body_is_not_decoded(shared_merchant: Merchant) -> None:
    answer = send(shared_merchant, b"\x1f\x8b\x08\x00", **{"Content-Encoding": "gzip"})
    assert error(answer) == (415, "content_type_unsupported", None)


def test_a_body_over_the_limit_is_413_and_one_at_the_limit_is_read(
    shared_merchant: Merchant,
) -> None:
    over = GOOD + b" " * (MAX_BODY_BYTES + 1 - len(GOOD))
    assert error(send(shared_merchant, over)) == (413, "payload_too_large", None)
    assert error(send(shared_merchant, over[:-1])) == (404, "resource_missing", "payment_method_id")


def test_a_chunked_body_over_the_limit_is_413(shared_merchant: Merchant) -> None:
    chunks = (b" " * 65536 for _ in range(8))
    headers = {**bearer(shared_merchant.secret_key), **JSON, "Idempotency-Key": KEY}
    answer = shared_merchant.http.post("/v1/payments", content=chunks, headers=headers)
    assert error(answer) == (413, "payload_too_large", None)


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (None, "idempotency_key_missing"),
        ("", "idempotency_key_invalid"),
        ("order-1", "idempotency_key_invalid"),
        ("550e8400e29b41d4a716446655440000", "idempotency_key_invalid"),
        ("{550e8400-e29b-41d4-a716-446655440000}", "idempotency_key_invalid"),
    ],
)
def test_a_key_that_is_missing_or_no_uuid(
    shared_merchant: Merchant, key: str | None, code: str
) -> None:
    headers = JSON if key is None else {**JSON, "Idempotency-Key": key}
    answer = shared_merchant.ask("POST", "/v1/payments", content=GOOD, headers=headers)
    assert error(answer) == (400, code, "Idempotency-Key")


@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        ("page=2", "parameter_unknown", None),
        ("limit=1&limit=2", "parameter_duplicated", "limit"),
        ("limit=0", "parameter_too_small", "limit"),
        ("limit=101", "parameter_too_large", "limit"),
        ("limit=1e1", "parameter_invalid_type", "limit"),
        ("limit=%2010", "parameter_invalid_type", "limit"),
        ("sort=created_at;drop", "parameter_invalid_enum", "sort"),
        ("created_gte=2026-04-01", "parameter_invalid_format", "created_gte"),
        ("starting_after=crs_AAAA", "invalid_cursor", "starting_after"),
        ("starting_after=crs_AAAA&ending_before=crs_AAAA", "parameters_exclusive", None),
        ("status=%00", "query_malformed", None),
    ],
)
def test_a_query_that_breaks_the_document(
    shared_merchant: Merchant, query: str, code: str, param: str | None
) -> None:
    answer = shared_merchant.ask("GET", f"/v1/payments?{query}")
    assert error(answer) == (400, code, param)


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/payments/", "/v2/payments", "/openapi", "/v1/plans", "/health"]
)
def test_an_unknown_path_is_404_whatever_the_method(shop: Shop, path: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        assert error(shop.http.request(method, path)) == (404, "route_missing", None)


@pytest.mark.parametrize("path", sorted({row.path for row in OPERATIONS}))
def test_another_method_is_405_with_a_full_allow(shop: Shop, path: str) -> None:
    rows = [row for row in OPERATIONS if row.path == path]
    allowed = {row.method for row in rows} | {"HEAD" for row in rows if row.method == "GET"}
    allowed |= {"OPTIONS"}
    door = shop.vault if rows[0].house == "vault" else shop.http
    for method in METHODS - allowed:
        answer = door.request(method, path)
        assert error(answer) == (405, "method_not_allowed", None)
        assert set(answer.headers["allow"].split(", ")) == allowed


def test_a_doubled_header_is_400_over_a_socket(shop: Shop) -> None:
    host, port = shop.base_url.removeprefix("http://").split(":")
    lines = (
        "GET /v1/payments HTTP/1.1",
        f"Host: {host}:{port}",
        "Authorization: Bearer sk_test_a",
        "Authorization: Bearer sk_test_b",
        "Connection: close",
    )
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall("\r\n".join((*lines, "", "")).encode())
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code":"header_invalid"' in answer and b'"param":"Authorization"' in answer


def refused(answer: httpx.Response) -> dict[str, str]:
    """What blueprint section 6 shows of a rejection."""
    body: dict[str, str] = answer.json()["error"]
    return {name: body[name] for name in ("type", "code", "message", "param")}


def test_the_missing_field_of_the_blueprint_word_for_word(shared_merchant: Merchant) -> None:
    answer = send(shared_merchant, b'{ "currency": "usd", "payment_method_id": "pm_4f2e8a9b" }')
    assert answer.status_code == 400
    assert refused(answer) == {
        "type": "invalid_request_error",
        "code": "parameter_missing",
        "message": "Required parameter 'amount' is missing.",
        "param": "amount",
    }


def test_the_invalid_currency_of_the_blueprint_word_for_word(shared_merchant: Merchant) -> None:
    body = b'{ "amount": 5000, "currency": "xxx", "payment_method_id": "pm_4f2e8a9b" }'
    answer = send(shared_merchant, body)
    assert answer.status_code == 400
    assert refused(answer) == {
        "type": "invalid_request_error",
        "code": "invalid_currency",
        "message": "'xxx' is not a supported currency. See docs for supported currencies.",
        "param": "currency",
    }


def test_the_refund_beyond_the_capture_of_the_blueprint_word_for_word(merchant: Merchant) -> None:
    held = merchant.pay(amount=15000, capture=False)["id"]
    told(merchant.act(held, "capture", {"amount": 12000}), 200)
    answer = merchant.act(held, "refunds", {"amount": 99999})
    assert answer.status_code == 422
    assert refused(answer) == {
        "type": "invalid_request_error",
        "code": "refund_exceeds_capture",
        "message": "Refund amount (99999) exceeds the captured amount (12000).",
        "param": "amount",
    }


def test_a_refund_beyond_what_is_left_names_what_is_true(merchant: Merchant) -> None:
    taken = merchant.pay(amount=12000)["id"]
    merchant.refund(taken, amount=5000)
    for amount, limit in (
        (99999, "captured amount (12000)"),
        (7001, "rest of the captured amount (7000)"),
    ):
        answer = merchant.act(taken, "refunds", {"amount": amount})
        assert answer.status_code == 422
        assert refused(answer)["message"] == f"Refund amount ({amount}) exceeds the {limit}."


@pytest.mark.parametrize(
    "sent",
    [
        b"BREW /v1/payments HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /v1/payments HTTP/1.1\r\nHost: localhost\r\nBad Header: 1\r\n\r\n",
        b"4242424242424242\r\n\r\n",
        b"GET /v1/payments HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 128 + b"\r\n",
        b"GET /v1/payments HTTP/1.1\r\nHost: localhost\r\nA: " + b"a" * 66_000,
        b"GET /" + b"a" * 66_000,
    ],
    ids=["method", "header", "nothing", "many headers", "endless header", "endless path"],
)
def test_bytes_that_are_no_http_are_refused_in_the_envelope_too(shop: Shop, sent: bytes) -> None:
    for door in (shop.base_url, shop.vault_url):
        address = ("127.0.0.1", int(door.rpartition(":")[2]))
        with socket.create_connection(address, timeout=5) as connection:
            connection.sendall(sent)
            answer = connection.makefile("rb").read()
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert b"content-type: application/json" in head
        assert b'"code":"http_malformed"' in body
        assert b"x-request-id: req_" in head
        assert b"4242424242424242" not in answer
