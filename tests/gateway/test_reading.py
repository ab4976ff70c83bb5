"""Reading through the whole application: fields, tags, conditions, codings."""

import asyncio
from typing import Any, cast

import httpx
import pytest

from contract.fieldsets import ALWAYS_SHOWN
from contract.operations import compile_operations
from gateway.codings import SMALLEST_BODY_BYTES
from generated.operations import OPERATIONS
from handlers.http import Answer, Request
from tests.document import DOCUMENT
from tests.gateway.door import KEY, Door, caller, example
from tests.serving import eventually

PAYMENT = "/v1/payments/pay_1"
PAYMENTS = "/v1/payments"
MERCHANT = "/v1/merchants/mch_1"
COMPILED = compile_operations(DOCUMENT, "gateway")
GETS = [row for row in OPERATIONS if row.method == "GET" and row.house == "gateway"]
READS = [row for row in GETS if COMPILED[row.operation_id].fieldset is not None]
KEPT = [row for row in GETS if COMPILED[row.operation_id].cache != "no-store"]
UNKEPT = [row for row in GETS if row not in KEPT]


def ask(door: Door, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    """A request that takes no coding, if not said otherwise."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return door.ask(method, path, headers={"Accept-Encoding": "identity", **given})


def path_of(row: Any) -> str:
    path = row.path.replace("{api_version}", "2025-09-15")
    return str(path.replace("{", "").replace("}", ""))


def shows(door: Door, operation_id: str, **changes: Any) -> None:
    """From now on the operation answers its example with these changes."""

    async def answer(request: Request) -> Answer:
        status, body = example(operation_id)
        return Answer(status, {**body, **changes})

    door.answers[operation_id] = answer


def many(items: int) -> list[dict[str, Any]]:
    item: dict[str, Any] = example("list_payments")[1]["data"][0]
    return [item] * items


def refused(answer: httpx.Response) -> tuple[int, str, str | None]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error.get("param")


def test_there_is_something_to_read() -> None:
    assert len(READS) > 10 and len(KEPT) > 5 and len(UNKEPT) > 3


@pytest.mark.parametrize("row", READS, ids=lambda row: row.operation_id)
def test_fields_of_every_resource(door: Door, row: Any) -> None:
    fieldset = COMPILED[row.operation_id].fieldset
    assert fieldset is not None
    field = max(fieldset.names - ALWAYS_SHOWN)
    whole = ask(door, path_of(row)).json()
    chosen = ask(door, f"{path_of(row)}?fields={field}").json()
    if row.operation_id.startswith("list_"):
        assert {**whole, "data": None} == {**chosen, "data": None}
        assert whole["data"]
        pairs = zip(whole["data"], chosen["data"], strict=True)
    else:
        pairs = zip([whole], [chosen], strict=True)
    for item, short in pairs:
        names = [name for name in item if name in ALWAYS_SHOWN | {field}]
        assert list(short) == names and short == {name: item[name] for name in names}


@pytest.mark.parametrize("row", READS, ids=lambda row: row.operation_id)
def test_a_field_that_is_not_there_is_400(door: Door, row: Any) -> None:
    for text in ("nothing", "id,nothing", "", "id,", "id,,object", "ID", "data.id", "id object"):
        answer = ask(door, f"{path_of(row)}?fields={text}")
        assert refused(answer) == (400, "field_unknown", "fields"), text
    assert door.requests == []


def test_fields_in_any_order_and_number(door: Door) -> None:
    answer = ask(door, f"{PAYMENT}?fields=status,amount,status,id").json()
    assert list(answer) == ["object", "id", "amount", "status"]
    assert set(ask(door, f"{PAYMENT}?fields=object%2Camount").json()) == {"object", "id", "amount"}
    assert door.requests[0].query == {}


def test_fields_are_those_of_the_items_not_of_the_list(door: Door) -> None:
    assert refused(ask(door, f"{PAYMENTS}?fields=has_more")) == (400, "field_unknown", "fields")
    twice = ask(door, f"{PAYMENTS}?fields=id&fields=amount")
    assert refused(twice) == (400, "parameter_duplicated", "fields")


def test_what_is_no_resource_has_no_fields(door: Door) -> None:
    assert refused(ask(door, "/healthz?fields=status"))[:2] == (400, "parameter_unknown")
    created = door.ask("POST", f"{PAYMENT}/refunds?fields=id")
    assert refused(created)[:2] == (400, "parameter_unknown")


@pytest.mark.parametrize("row", KEPT, ids=lambda row: row.operation_id)
def test_what_may_be_kept_has_a_tag_and_is_not_sent_twice(door: Door, row: Any) -> None:
    first = ask(door, path_of(row))
    tag = first.headers["etag"]
    assert first.status_code == 200 and tag.startswith('"') and tag.endswith('"')
    assert ask(door, path_of(row)).headers["etag"] == tag
    again = ask(door, path_of(row), if_none_match=tag)
    assert (again.status_code, again.content) == (304, b"")
    assert "content-length" not in again.headers and "content-type" not in again.headers
    for name in ("etag", "cache-control", "vary", "paymint-version"):
        assert again.headers[name] == first.headers[name]
    assert door.house.audit.entries[-1][1]["status_code"] == 304


@pytest.mark.parametrize("row", UNKEPT, ids=lambda row: row.operation_id)
def test_what_may_not_be_kept_has_neither_tag_nor_coding(door: Door, row: Any) -> None:
    answer = ask(door, path_of(row), if_none_match="*", accept_encoding="br")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert "etag" not in answer.headers and "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    "sent", ['"x", "TAG"', 'W/"TAG"', "*", '"TAG", "x"', '"TAG-br"', '"TAG-gzip"']
)
def test_a_condition_that_holds(door: Door, sent: str) -> None:
    tag = ask(door, PAYMENT).headers["etag"].strip('"')
    assert ask(door, PAYMENT, if_none_match=sent.replace("TAG", tag)).status_code == 304


def test_a_condition_that_does_not_hold(door: Door) -> None:
    assert ask(door, PAYMENT, if_none_match='"x", W/"y"').status_code == 200
    tag = ask(door, PAYMENT).headers["etag"]
    shows(door, "retrieve_payment", amount_refunded=1)
    changed = ask(door, PAYMENT, if_none_match=tag)
    assert changed.status_code == 200 and changed.headers["etag"] != tag


def test_several_lines_of_a_condition_are_one_list(door: Door) -> None:
    tag = ask(door, PAYMENT).headers["etag"]
    lines = httpx.Headers([("If-None-Match", tag), ("If-None-Match", '"x"')])
    assert door.ask("GET", PAYMENT, headers=lines).status_code == 304
    codings = httpx.Headers([("Accept-Encoding", "gzip"), ("Accept-Encoding", "br;q=0")])
    shows(door, "list_payments", data=many(10))
    assert door.ask("GET", PAYMENTS, headers=codings).headers["content-encoding"] == "gzip"


def test_a_condition_that_cannot_be_read_is_400_before_401(door: Door) -> None:
    answer = door.ask("GET", PAYMENT, key=None, headers={"If-None-Match": "x"})
    assert refused(answer) == (400, "header_invalid", "If-None-Match")
    assert answer.headers["cache-control"] == "no-store"
    change = door.ask("PATCH", MERCHANT, key=None, headers={"If-Match": '"x'})
    assert refused(change) == (400, "header_invalid", "If-Match")
    assert door.ask("POST", f"{PAYMENT}/cancel", headers={"If-Match": '"x'}).status_code == 200


def test_another_caller_mode_or_choice_has_another_tag(door: Door) -> None:
    tags = [ask(door, PAYMENT).headers["etag"]]
    tags.append(ask(door, f"{PAYMENT}?fields=id").headers["etag"])
    door.house.keys.callers[KEY] = caller(livemode=True)
    tags.append(ask(door, PAYMENT).headers["etag"])
    door.house.keys.callers[KEY] = caller(merchant_id=caller().key_id)
    tags.append(ask(door, PAYMENT).headers["etag"])
    assert len(set(tags)) == 4


def test_a_refusal_has_no_tag(door: Door) -> None:
    answer = ask(door, f"{PAYMENT}?zz=1", if_none_match="*")
    assert answer.status_code == 400
    assert "etag" not in answer.headers and answer.headers["cache-control"] == "no-store"


def test_the_revision_of_a_row_stands_in_its_tag_whatever_is_shown(door: Door) -> None:
    shows(door, "retrieve_merchant", revision=7)
    for query in ("", "?fields=id", "?fields=revision"):
        assert ask(door, MERCHANT + query).headers["etag"].startswith('"r7-')
    assert not ask(door, PAYMENT).headers["etag"].startswith('"r')


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        (None, None),
        ("*", None),
        ('"r7-ab"', {7}),
        ('"r7-ab", W/"r8-cd-br"', {7, 8}),
        ('"x"', set()),
    ],
)
def test_the_revisions_of_a_change(door: Door, sent: str | None, named: set[int] | None) -> None:
    headers = {} if sent is None else {"If-Match": sent}
    answer = door.ask("PATCH", MERCHANT, json={"business_name": "A"}, headers=headers)
    assert answer.status_code == 200
    asking = door.requests[0].asking
    assert asking is not None and asking.if_match == named


@pytest.mark.parametrize(("coding", "suffix"), [("br", "-br"), ("gzip", "-gzip"), ("zstd", "")])
def test_a_long_body_is_coded(door: Door, coding: str, suffix: str) -> None:
    shows(door, "list_payments", data=many(20))
    plain = ask(door, PAYMENTS)
    answer = ask(door, PAYMENTS, accept_encoding=coding)
    assert answer.json() == plain.json()
    assert answer.headers["etag"] == plain.headers["etag"][:-1] + suffix + '"'
    assert answer.headers.get("content-encoding") == (coding if suffix else None)
    assert int(answer.headers["content-length"]) == answer.num_bytes_downloaded
    assert (len(plain.content) > 4 * answer.num_bytes_downloaded) == bool(suffix)
    again = ask(door, PAYMENTS, accept_encoding=coding, if_none_match=answer.headers["etag"])
    assert (again.status_code, again.headers["etag"]) == (304, answer.headers["etag"])
    assert "content-encoding" not in again.headers


def test_a_short_body_is_not_coded(door: Door) -> None:
    shows(door, "retrieve_payment", description="")
    missing = SMALLEST_BODY_BYTES - len(ask(door, PAYMENT).content)
    assert 0 < missing <= 500
    for length in (missing - 1, missing):
        shows(door, "retrieve_payment", description="b" * length)
        answer = ask(door, PAYMENT, accept_encoding="br")
        size = len(answer.content)
        assert size == SMALLEST_BODY_BYTES - missing + length
        assert ("content-encoding" in answer.headers) == (length == missing)


def test_head_answers_as_get(door: Door) -> None:
    shows(door, "list_payments", data=many(20))
    for headers in ({}, {"accept_encoding": "br"}, {"accept_encoding": "gzip"}):
        get, head = (ask(door, PAYMENTS, method, **headers) for method in ("GET", "HEAD"))
        assert head.content == b"" and head.num_bytes_downloaded == 0
        assert unnumbered(head) == unnumbered(get)
        known = ask(door, PAYMENTS, "HEAD", if_none_match=get.headers["etag"], **headers)
        assert known.status_code == 304


def unnumbered(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name != "x-request-id"}


def test_a_large_body_is_coded_while_the_loop_goes_on(door: Door) -> None:
    item = many(1)[0]
    long = {f"k{n}": "".join(chr(97 + (n * i) % 26) for i in range(400)) for n in range(20)}
    shows(door, "list_payments", data=[{**item, "metadata": long}] * 100)

    async def reading() -> int:
        """How often the loop turned until the answer was there."""
        transport = httpx.ASGITransport(app=cast(Any, door.app))
        turns = 0
        async with httpx.AsyncClient(transport=transport, base_url="http://paymint") as client:
            headers = {"Authorization": f"Bearer {KEY}", "Accept-Encoding": "br"}
            asked = asyncio.create_task(client.get(PAYMENTS, headers=headers))
            while not asked.done():
                await asyncio.sleep(0)
                turns += 1
            answer = await asked
        assert answer.headers["content-encoding"] == "br"
        assert len(answer.json()["data"]) == 100
        return turns

    # A busy machine may let the other thread end before this one gets its turn.
    assert eventually(lambda: asyncio.run(reading()) > 50, 20.0), "the loop never turned meanwhile"
