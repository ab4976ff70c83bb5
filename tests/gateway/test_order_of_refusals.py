"""When two refusals apply, the one that stands earlier in `x-refusal-order` answers.

Here are the stages that the gateway itself decides; tests/errors/test_order.py has the others.
"""

from typing import NamedTuple
from uuid import UUID

import pytest

from tests.document import DOCUMENT
from tests.gateway.door import KEY, Door, Keys, caller

FAST = UUID(int=7)
ORDER: list[str] = [stage["stage"] for stage in DOCUMENT["x-refusal-order"]]
STAGE_OF: dict[str, str] = {
    code: entry["stage"] for code, entry in DOCUMENT["x-error-catalogue"].items()
}
GIVEN = [stage for stage in ORDER if stage in STAGE_OF.values()]
# Decided by the server's protocol, before there is a request; tests/errors asks a socket.
BEFORE = {"http"}
# Decided by flows, and asked of a real stack.
BEHIND = {"conflict", "resource", "precondition", "state", "card", "outside"}


class Fault(NamedTuple):
    """Something wrong with a request: what it changes in one that is right, and its stage."""

    stage: str
    changes: dict[str, str | bytes]


# In the order of refusals: a request with one of these faults also has all that stand below it.
FAULTS = (
    Fault("path", {"path": "/v1/nothing", "method": "PUT"}),
    Fault("method", {"method": "PUT"}),
    Fault("header_syntax", {"content-length": "x"}),
    Fault("header_syntax", {"idempotency-key": "order-1"}),
    Fault("authentication", {"authorization": "Bearer sk_test_unknown"}),
    Fault("authentication", {"authorization": ""}),
    Fault("authorisation", {"authorization": "Bearer sk_test_reads"}),
    Fault("authorisation", {"authorization": "Bearer sk_test_closed"}),
    Fault("rate_limit", {"authorization": "Bearer sk_test_fast"}),
    Fault("size", {"content-length": "999999"}),
    Fault("media_type", {"content-type": "text/plain"}),
    Fault("json", {"content": b"{"}),
    Fault("json", {"content": b"null"}),
    Fault("json", {"content": b"[]"}),
    Fault("json", {"content": b""}),
    Fault("version", {"paymint-version": "1999-01-01"}),
    Fault("schema", {"content": b"{}", "path": "/v1/payments?zz=1"}),
    Fault("schema", {"content": b"{}", "path": "/v1/payments?a=%ff"}),
    Fault("schema", {"content": b"{}", "path": "/v1/payments"}),
    Fault(
        "idempotency_key",
        {"content": b'{"amount":5000,"currency":"usd","payment_method_id":"pm_1"}'},
    ),
)
TRIED = [rank for rank, fault in enumerate(FAULTS) if fault.stage in GIVEN]


def test_the_faults_stand_in_the_published_order_and_none_is_left_out() -> None:
    ranks = [ORDER.index(fault.stage) for fault in FAULTS]
    assert ranks == sorted(ranks)
    assert {fault.stage for fault in FAULTS} >= set(GIVEN) - BEFORE - BEHIND
    assert ORDER[-1] == "outside"


@pytest.mark.parametrize("rank", TRIED, ids=lambda rank: f"{FAULTS[rank].stage}-{rank}")
def test_the_earlier_stage_answers(door: Door, rank: int) -> None:
    door.house.keys = Keys(
        {
            KEY: caller(),
            "sk_test_reads": caller(scopes=frozenset({"payments:read"})),
            "sk_test_closed": caller(merchant_status="suspended"),
            "sk_test_fast": caller(merchant_id=FAST),
        }
    )
    door.house.limiter.shut = FAST.hex
    request: dict[str, str | bytes] = {"authorization": f"Bearer {KEY}", "method": "POST"}
    request["content-type"] = "application/json"
    # The faults from the lowest upwards: a higher one overlays what it shares with a lower.
    for fault in reversed(FAULTS[rank:]):
        request |= fault.changes
    method, path = str(request.pop("method")), str(request.pop("path", "/v1/payments"))
    content = request.pop("content", b"{")
    assert isinstance(content, bytes)
    headers = {name: str(value) for name, value in request.items() if value}
    answer = door.ask(method, path, key=None, content=content, headers=headers)
    assert STAGE_OF[answer.json()["error"]["code"]] == FAULTS[rank].stage
    assert door.requests == []
