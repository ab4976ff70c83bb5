"""When two refusals apply, the one that stands higher in the published order answers."""

import httpx
import pytest

from tests.gateway.door import KEY, Door, Keys, caller

# One request per rank, every one of which also has all the faults that stand below it.
FAULTS: dict[str, dict[str, str | bytes]] = {
    "route_missing": {"path": "/v1/nothing", "method": "PUT"},
    "method_not_allowed": {"method": "PUT"},
    "header_invalid": {"content-length": "x"},
    "api_key_missing": {"authorization": ""},
    "insufficient_scope": {"authorization": "Bearer sk_test_reads"},
    "payload_too_large": {"content-length": "999999"},
    "content_type_unsupported": {"content-type": "text/plain"},
    "json_invalid": {"content": b"{"},
    "api_version_unknown": {"content": b"{}", "paymint-version": "2026-04-02"},
    "parameter_unknown": {"content": b"{}", "path": "/v1/payments?zz=1"},
    "parameter_missing": {"content": b"{}", "path": "/v1/payments"},
    "idempotency_key_missing": {
        "content": b'{"amount":5000,"currency":"usd","payment_method_id":"pm_1"}'
    },
}
STATUSES = [404, 405, 400, 401, 403, 413, 415, 400, 400, 400, 400, 400]


def test_the_order() -> None:
    assert len(FAULTS) == len(STATUSES)


@pytest.mark.parametrize("rank", range(len(FAULTS)))
def test_the_higher_refusal_answers(door: Door, rank: int) -> None:
    door.house.keys = Keys(
        {KEY: caller(), "sk_test_reads": caller(scopes=frozenset({"payments:read"}))}
    )
    request: dict[str, str | bytes] = {"authorization": f"Bearer {KEY}", "method": "POST"}
    request["content-type"] = "application/json"
    # The faults from the lowest upwards: a higher one overlays what it shares with a lower.
    for fault in reversed(list(FAULTS.values())[rank:]):
        request |= fault
    method, path = str(request.pop("method")), str(request.pop("path", "/v1/payments"))
    content = request.pop("content", b"{")
    assert isinstance(content, bytes)
    headers = {name: str(value) for name, value in request.items() if value}
    answer = door.ask(method, path, key=None, content=content, headers=headers)
    assert (answer.status_code, code(answer)) == (STATUSES[rank], list(FAULTS)[rank])


def code(answer: httpx.Response) -> str:
    found: str = answer.json()["error"]["code"]
    return found
