"""Items of a body that are judged alone: their keys, their digests, their refusals."""

import hashlib
import json
from typing import Any

import httpx
import orjson
import pytest

from contract.document import DocumentError
from contract.items import items_of
from domain.refusals import Refusal
from handlers.http import Item
from tests.document import DOCUMENT
from tests.gateway.door import IDEMPOTENCY_KEY, KEY, Door, caller

PATH = "/v1/payments/batch"
PLAIN = {"amount": 5000, "currency": "usd", "payment_method_id": "pm_4f2e8a9b"}
GOOD = {**PLAIN, "idempotency_key": IDEMPOTENCY_KEY}


def send(door: Door, *items: Any, **headers: str) -> httpx.Response:
    content = json.dumps({"payments": items}).encode()
    sent = {"Content-Type": "application/json", **headers}
    return door.ask("POST", PATH, content=content, headers=sent)


def items(door: Door) -> tuple[Item | Refusal, ...]:
    return door.requests[-1].items


def test_an_item_is_bound_to_its_own_key_whatever_the_header_says(door: Door) -> None:
    upper = {**GOOD, "idempotency_key": IDEMPOTENCY_KEY.upper()}
    answer = send(door, GOOD, upper, {**GOOD, "amount": 6000}, **{"Idempotency-Key": "no uuid"})
    assert answer.status_code == 207
    asking = door.requests[-1].asking
    assert asking is not None and asking.once is None
    bound = [item for item in items(door) if isinstance(item, Item)]
    assert [str(item.once.key) for item in bound] == [IDEMPOTENCY_KEY] * 3
    canonical = orjson.dumps(PLAIN, option=orjson.OPT_SORT_KEYS)
    wanted = hashlib.sha256(b"POST\0/v1/payments/batch\0" + canonical).digest()
    assert bound[0].once.digest == bound[1].once.digest == wanted != bound[2].once.digest


def test_a_poisoned_item_stands_as_its_refusal_between_the_others(door: Door) -> None:
    send(door, GOOD, "text", {**GOOD, "amount": 1e3 + 0.5}, {"amount": 5000}, GOOD)
    first, text, fraction, missing, last = items(door)
    assert isinstance(first, Item) and isinstance(last, Item)
    refused = [each for each in (text, fraction, missing) if isinstance(each, Refusal)]
    assert [(each.code, each.param) for each in refused] == [
        ("body_not_object", None),
        ("parameter_invalid_type", "amount"),
        ("parameter_missing", "currency"),
    ]


@pytest.mark.parametrize("status", ["suspended", "terminated"])
def test_a_merchant_who_takes_no_money_is_refused_whole(door: Door, status: str) -> None:
    door.house.keys.callers[KEY] = caller(merchant_status=status)
    answer = send(door, GOOD)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "merchant_suspended")
    assert door.requests == []


def test_a_key_that_may_only_read_is_refused_whole(door: Door) -> None:
    door.house.keys.callers[KEY] = caller(scopes=frozenset({"payments:read"}))
    answer = send(door, GOOD)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "insufficient_scope")


def test_a_body_has_one_such_array(door: Door) -> None:
    item = {"x-item-schema": {"$ref": "#/components/schemas/PaymentBatchItem"}}
    assert items_of(DOCUMENT, {"type": "object", "properties": {"a": item}})
    assert items_of(DOCUMENT, {"type": "object"}) is None
    with pytest.raises(DocumentError):
        items_of(DOCUMENT, {"type": "object", "properties": {"a": item, "b": item}})
