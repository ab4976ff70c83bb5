"""Bad input gets the envelope and a precise code; the handler is never reached."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from domain.refusals import Declined, Refusal, Unprocessable
from handlers.http import Answer, Request
from tests.gateway.door import IDEMPOTENCY_KEY, Door

GOOD = b'{"amount":5000,"currency":"usd","payment_method_id":"pm_4f2e8a9b"}'


def error_of(answer: httpx.Response) -> dict[str, Any]:
    error: dict[str, Any] = answer.json()["error"]
    assert error["doc_url"] == f"https://docs.paymint.com/errors/{error['code']}"
    assert error["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == "no-store"
    return error


def refused(door: Door, answer: httpx.Response) -> tuple[int, str, str | None]:
    assert door.requests == []
    error = error_of(answer)
    return answer.status_code, error["code"], error.get("param")


def test_the_first_example_rejection_word_for_word(door: Door) -> None:
    answer = door.pay(b'{ "currency": "usd", "payment_method_id": "pm_4f2e8a9b" }')
    assert answer.status_code == 400
    error = error_of(answer)
    assert error["type"] == "invalid_request_error"
    assert error["code"] == "parameter_missing"
    assert error["message"] == "Required parameter 'amount' is missing."
    assert error["param"] == "amount"


def test_the_second_example_rejection_word_for_word(door: Door) -> None:
    answer = door.pay(GOOD.replace(b"usd", b"xxx"))
    assert answer.status_code == 400
    error = error_of(answer)
    assert error["type"] == "invalid_request_error"
    assert error["code"] == "invalid_currency"
    assert error["message"] == (
        "'xxx' is not a supported currency. See docs for supported currencies."
    )
    assert error["param"] == "currency"


def test_the_third_example_rejection_word_for_word(door: Door) -> None:
    async def refuse(request: Request) -> Answer:
        limit = "captured amount"
        raise Unprocessable(
            "refund_exceeds_capture", "amount", amount=99999, limit=limit, available=12000
        )

    door.answers["create_refund"] = refuse
    headers = {"Content-Type": "application/json"}
    path = "/v1/payments/pay_8a3b2c1d/refunds"
    answer = door.ask("POST", path, content=b'{ "amount": 99999 }', headers=headers)
    assert answer.status_code == 422
    error = error_of(answer)
    assert error["type"] == "invalid_request_error"
    assert error["code"] == "refund_exceeds_capture"
    assert error["message"] == "Refund amount (99999) exceeds the captured amount (12000)."
    assert error["param"] == "amount"


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (GOOD.replace(b"5000", b"100.0"), "parameter_invalid_type", "amount"),
        (GOOD.replace(b"5000", b"1e3"), "parameter_invalid_type", "amount"),
        (GOOD.replace(b"5000", b"1e400"), "parameter_invalid_type", "amount"),
        (GOOD.replace(b"5000", b'"100"'), "parameter_invalid_type", "amount"),
        (GOOD.replace(b"5000", b"true"), "parameter_invalid_type", "amount"),
        (GOOD.replace(b"5000", b"null"), "parameter_invalid_type", "amount"),
        (GOOD.replace(b"5000", b"49"), "amount_too_small", "amount"),
        (GOOD.replace(b"5000", b"9" * 30), "amount_too_large", "amount"),
        (GOOD.replace(b"5000", b"NaN"), "json_invalid", None),
        (GOOD.replace(b"5000", b"9" * 9000), "json_invalid", None),
        (GOOD.replace(b'"usd"', b"5"), "parameter_invalid_type", "currency"),
        (GOOD.replace(b"usd", b"dollars"), "parameter_invalid", "currency"),
        (GOOD.replace(b"}", b',"zz":1}'), "parameter_unknown", None),
        (GOOD.replace(b"}", b',"amount":6000}'), "json_duplicate_key", None),
        (
            GOOD.replace(b"pm_4f2e8a9b", b"a\\u0000b"),
            "parameter_invalid_format",
            "payment_method_id",
        ),
        (GOOD.replace(b"pm_4f2e8a9b", b"\\ud800"), "json_invalid", None),
        (GOOD.replace(b"pm_4f2e8a9b", b"\xff"), "json_invalid", None),
        (GOOD.replace(b"pm_4f2e8a9b", b"pm_1\\n"), "parameter_invalid_format", "payment_method_id"),
        (GOOD.replace(b"}", b',"metadata":{"a b":"x"}}'), "metadata_key_invalid", "metadata"),
        (GOOD.replace(b"}", b',"metadata":{"a":1}}'), "parameter_invalid_type", "metadata"),
        (GOOD.replace(b"}", b',"metadata":{"a":"1","a":"2"}}'), "json_duplicate_key", None),
        (GOOD + b"x", "json_invalid", None),
        (b"\xef\xbb\xbf" + GOOD, "json_invalid", None),
        (b"[" * 100_000 + b"]" * 100_000, "json_invalid", None),
        (b" ", "json_invalid", None),
        (b"", "body_missing", None),
        (b"null", "body_not_object", None),
        (b"[]", "body_not_object", None),
        (b"1.5", "body_not_object", None),
    ],
)
def test_a_body_that_breaks_the_document(
    door: Door, body: bytes, code: str, param: str | None
) -> None:
    assert refused(door, door.pay(body)) == (400, code, param)


@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        ("zz=1", "parameter_unknown", None),
        ("limit=1&limit=2", "parameter_duplicated", "limit"),
        ("limit=%2B5", "parameter_invalid_type", "limit"),
        ("limit=1_0", "parameter_invalid_type", "limit"),
        ("limit=%D9%A3", "parameter_invalid_type", "limit"),
        ("limit=1.0", "parameter_invalid_type", "limit"),
        ("limit=" + "9" * 5000, "parameter_invalid_type", "limit"),
        ("limit=0", "parameter_too_small", "limit"),
        ("limit=101", "parameter_too_large", "limit"),
        ("status=%00", "query_malformed", None),
        ("status=%ff", "query_malformed", None),
        ("status=%zz", "query_malformed", None),
        ("status=nope", "parameter_invalid_enum", "status"),
        ("currency=xxx", "invalid_currency", "currency"),
        ("created_gte=yesterday", "parameter_invalid_format", "created_gte"),
        ("starting_after=x", "invalid_cursor", "starting_after"),
        ("starting_after=crs_a&ending_before=crs_b", "parameters_exclusive", None),
        ("deep[gte][x]=5", "parameter_unknown", None),
        ("api_key=sk_test_all", "parameter_unknown", None),
    ],
)
def test_a_query_that_breaks_the_document(
    door: Door, query: str, code: str, param: str | None
) -> None:
    assert refused(door, door.ask("GET", f"/v1/payments?{query}")) == (400, code, param)


@pytest.mark.parametrize("content_type", ["text/plain", "application/json; charset=utf-16", ""])
def test_a_content_type_that_is_not_json_is_415(door: Door, content_type: str) -> None:
    answer = door.pay(GOOD, headers={"Content-Type": content_type})
    assert refused(door, answer) == (415, "content_type_unsupported", None)


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON", "application/json; charset=UTF-8"]
)
def test_a_content_type_that_is_json_passes(door: Door, content_type: str) -> None:
    assert door.pay(GOOD, headers={"Content-Type": content_type}).status_code == 201


def test_a_body_of_too_many_announced_bytes_is_413(door: Door) -> None:
    answer = door.pay(GOOD, headers={"Content-Length": "262145"})
    assert refused(door, answer) == (413, "payload_too_large", None)
    assert "262144" in error_of(answer)["message"]


def test_a_body_of_too_many_streamed_bytes_is_413_and_not_read_to_its_end(door: Door) -> None:
    sent = 0

    async def stream() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += 10_000
            yield b" " * 10_000

    headers = {"Content-Type": "application/json", "Idempotency-Key": IDEMPOTENCY_KEY}
    answer = door.ask("POST", "/v1/payments", content=stream(), headers=headers)
    assert refused(door, answer) == (413, "payload_too_large", None)
    assert sent < 300_000


def test_a_chunked_body_is_read(door: Door) -> None:
    async def stream() -> AsyncIterator[bytes]:
        yield GOOD[:10]
        yield GOOD[10:]

    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": "550e8400-e29b-41d4-a716-446655440000",
    }
    assert door.ask("POST", "/v1/payments", content=stream(), headers=headers).status_code == 201
    assert door.requests[0].body["amount"] == 5000


def test_a_body_where_none_belongs_is_400(door: Door) -> None:
    answer = door.ask("GET", "/v1/payments", content=b"{}")
    assert refused(door, answer) == (400, "body_unexpected", None)


def test_an_optional_body_may_be_left_out_with_any_content_type(door: Door) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    path = "/v1/payments/pay_1/refunds"
    assert door.ask("POST", path, headers=headers).status_code == 201
    assert door.requests[0].body is None


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Authorization", ["Bearer sk_test_all", "Bearer sk_test_all"]),
        ("Idempotency-Key", ["a", "b"]),
        ("Content-Type", ["application/json", "text/plain"]),
    ],
)
def test_a_doubled_header_is_400_before_401(door: Door, name: str, values: list[str]) -> None:
    headers = httpx.Headers([(name, value) for value in values])
    answer = door.ask("GET", "/v1/payments", key=None, headers=headers)
    assert refused(door, answer) == (400, "header_invalid", name)


def test_a_content_length_that_is_no_number_is_400(door: Door) -> None:
    answer = door.pay(GOOD, headers={"Content-Length": "+5"})
    assert refused(door, answer) == (400, "header_invalid", "Content-Length")


def test_a_decline_carries_its_code_and_the_payment(door: Door) -> None:
    async def decline(request: Request) -> Answer:
        assert request.asking is not None
        refusal = Declined(
            "card_declined",
            decline_code="insufficient_funds",
            payment_id=request.asking.caller.merchant_id,
        )
        refusal.replayed = True
        raise refusal

    door.answers["create_payment"] = decline
    answer = door.pay(GOOD)
    error = error_of(answer)
    assert (answer.status_code, error["type"]) == (402, "card_error")
    assert error["decline_code"] == "insufficient_funds"
    assert error["payment_id"] == "pay_019d7cd3e8417f5a9c2b7d4e6f8a0b13"
    assert answer.headers["idempotent-replayed"] == "true"
    assert "param" not in error


def test_an_undeclared_code_and_an_unforeseen_error_are_500(door: Door) -> None:
    async def undeclared(request: Request) -> Answer:
        raise Refusal("wallet_expired")

    async def broken(request: Request) -> Answer:
        raise RuntimeError("a secret of ours")

    for handler in (undeclared, broken):
        door.answers["list_payments"] = handler
        answer = door.ask("GET", "/v1/payments")
        assert (answer.status_code, error_of(answer)["code"]) == (500, "internal_error")
        assert "secret" not in answer.text


def test_an_answer_that_breaks_the_document_is_500_where_answers_are_strict(door: Door) -> None:
    async def wrong(request: Request) -> Answer:
        return Answer(200, {"object": "list"})

    async def undeclared(request: Request) -> Answer:
        return Answer(207, {"object": "list"})

    for handler in (wrong, undeclared):
        door.answers["list_payments"] = handler
        assert door.ask("GET", "/v1/payments").status_code == 500
