"""What every answer carries, and what is written down of a request."""

import asyncio
import gc
import hashlib
import re
import tracemalloc
from contextlib import suppress
from typing import Any, cast

import orjson
import pytest
from prometheus_client import REGISTRY

import runtime.log
from contract.shapes import shape_of
from domain.refusals import Malformed
from handlers.http import Answer, Request
from runtime.database import DatabaseUnavailable
from tests.document import DOCUMENT
from tests.gateway.door import IDEMPOTENCY_KEY, MERCHANT, Door, Limiter, example

GOOD = b'{"amount":5000,"currency":"usd","payment_method_id":"pm_4f2e8a9b"}'
MARKED = "4242424242424242"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The log lines of the test, instead of on standard output."""
    written: list[bytes] = []

    def keep() -> None:
        written.extend(runtime.log._pending)
        runtime.log._pending.clear()

    monkeypatch.setattr(runtime.log, "flush", keep)
    return written


def test_every_answer_carries_its_id_its_version_and_how_to_keep_it(door: Door) -> None:
    answers = {
        "no-store": door.pay(GOOD),
        "private, no-cache": door.ask("GET", "/v1/payments/pay_1"),
        "private, max-age=300": door.ask("GET", "/v1/merchants/mch_1"),
    }
    for cache, answer in answers.items():
        assert answer.status_code < 300
        assert re.fullmatch(r"req_[0-9a-f]{32}", answer.headers["x-request-id"])
        assert answer.headers["paymint-version"] == "2026-04-01"
        assert answer.headers["cache-control"] == cache
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-type"] == "application/json"
    assert len({answer.headers["x-request-id"] for answer in answers.values()}) == len(answers)


def test_a_request_id_of_the_clients_is_not_taken_over(door: Door) -> None:
    sent = "req_" + "0" * 32
    answer = door.ask("GET", "/healthz", headers={"X-Request-Id": sent})
    assert answer.headers["x-request-id"] != sent


def test_nothing_in_an_answer_could_be_taken_for_html(door: Door) -> None:
    text = "<script>&\u2028\u2029</script>"

    async def answer_it(request: Request) -> Answer:
        status, body = example("retrieve_customer")
        return Answer(status, {**body, "name": text})

    door.answers["retrieve_customer"] = answer_it
    answer = door.ask("GET", "/v1/customers/cus_1")
    assert answer.status_code == 200
    assert not re.search("[<>&\u2028\u2029]".encode(), answer.content)
    assert b"\\u003cscript" in answer.content
    assert answer.json()["name"] == text


def test_the_idempotency_key_is_bound_to_the_request(door: Door) -> None:
    door.pay(GOOD, headers={"Idempotency-Key": IDEMPOTENCY_KEY.upper()})
    door.pay(b'{"payment_method_id": "pm_4f2e8a9b", "currency": "usd", "amount": 5000}')
    door.pay(GOOD.replace(b"5000", b"5001"))
    onces = [request.asking.once for request in door.requests if request.asking]
    assert all(once is not None and str(once.key) == IDEMPOTENCY_KEY for once in onces)
    digests = [once.digest for once in onces if once is not None]
    canonical = orjson.dumps(orjson.loads(GOOD), option=orjson.OPT_SORT_KEYS)
    assert digests[0] == hashlib.sha256(b"POST\0/v1/payments\0" + canonical).digest()
    assert digests[0] == digests[1] != digests[2]


def test_the_hint_of_the_duplicate_check_reaches_the_flow(door: Door) -> None:
    door.house.limiter = Limiter(seen=True)
    door.pay(GOOD)
    asking = door.requests[0].asking
    assert asking is not None and asking.once is not None and asking.once.seen_before


@pytest.mark.parametrize("key", ["", "x", IDEMPOTENCY_KEY[:-1], IDEMPOTENCY_KEY.replace("-", "")])
def test_an_idempotency_key_that_is_no_uuid_is_400(door: Door, key: str) -> None:
    answer = door.pay(GOOD, headers={"Idempotency-Key": key})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "idempotency_key_invalid"


def test_a_replay_says_so(door: Door) -> None:
    async def again(request: Request) -> Answer:
        status, body = example("create_payment")
        return Answer(status, body, replayed=True)

    door.answers["create_payment"] = again
    assert door.pay(GOOD).headers["idempotent-replayed"] == "true"


def test_a_database_out_of_reach_is_503(door: Door) -> None:
    async def unreachable(request: Request) -> Answer:
        raise DatabaseUnavailable

    door.answers["list_payments"] = unreachable
    answer = door.ask("GET", "/v1/payments")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "service_unavailable"
    assert answer.headers["retry-after"] == "1"


def test_the_audit_entry_has_the_fields_of_the_blueprint(door: Door, lines: list[bytes]) -> None:
    answer = door.pay(GOOD, headers={"User-Agent": f"App/x {MARKED}\x1b" + "x" * 500})
    runtime.log.flush()
    whose, entry = door.house.audit.entries[-1]
    assert whose == (MERCHANT, False)
    assert entry["request_id"] == answer.headers["x-request-id"]
    assert entry["merchant_id"] == f"mch_{MERCHANT.hex}"
    assert entry["api_key_prefix"] == "sk_test_...all1"
    assert (entry["method"], entry["path"]) == ("POST", "/v1/payments")
    assert (entry["status_code"], entry["ip_address"]) == (201, "127.0.0.1")
    assert entry["user_agent"].startswith("App/x [masked] xxx")
    assert len(entry["user_agent"]) <= 256
    assert entry["latency_ms"] > 0
    assert entry["resource_id"] == answer.json()["id"]
    assert entry["scopes_used"] == ("payments:write",)
    assert entry["idempotency_key"] == IDEMPOTENCY_KEY
    line = orjson.loads(lines[-1])
    assert line["event"] == "request"
    assert line["request_id"] == entry["request_id"]
    assert line["timestamp"] == entry["timestamp"]


def test_the_audit_entry_and_the_flow_are_told_the_country(door: Door) -> None:
    door.house.countries.load()
    for address, country in (("193.99.144.80", "DE"), ("2001:4860:4860::8888", "US")):
        signals = {"ip_country": country, "velocity_flag": False}
        door.pay(GOOD, client_address=address)
        assert door.house.audit.entries[-1][1]["risk_signals"] == signals
        assert door.requests[-1].caller.risk_signals == signals
    door.pay(GOOD)
    assert door.house.audit.entries[-1][1]["risk_signals"]["ip_country"] is None


def test_the_audit_entry_of_a_request_that_failed_names_what_was_asked_for(door: Door) -> None:
    identifier = "pay_019d7cd4590c7e6ba2d41f8c3b5a9e70"
    door.ask("GET", f"/v1/payments/{identifier}", key=None)
    door.ask("GET", f"/v1/nothing/{MARKED}", key=None)
    (nobody, failed), (_, unknown) = door.house.audit.entries
    assert nobody is None
    assert (failed["status_code"], failed["resource_id"]) == (401, identifier)
    assert (unknown["status_code"], unknown["path"]) == (404, "/v1/nothing/[masked]")


@pytest.mark.parametrize(
    "send",
    [
        lambda door: door.pay(GOOD.replace(b"pm_4f2e8a9b", MARKED.encode() + b" ")),
        lambda door: door.pay(GOOD.replace(b"usd", MARKED.encode())),
        lambda door: door.pay(GOOD.replace(b"5000", MARKED.encode())),
        lambda door: door.pay(GOOD.replace(b"amount", MARKED.encode())),
        lambda door: door.pay(GOOD + MARKED.encode()),
        lambda door: door.pay(GOOD.replace(b"}", f',"metadata":{{"{MARKED}":1}}}}'.encode())),
        lambda door: door.pay(f'{{"{MARKED}":1,"{MARKED}":1}}'.encode()),
        lambda door: door.pay(GOOD, headers={"Content-Type": MARKED}),
        lambda door: door.pay(GOOD, headers={"Idempotency-Key": MARKED}),
        lambda door: door.ask("GET", f"/v1/payments?{MARKED}=1"),
        lambda door: door.ask("GET", f"/v1/payments?status={MARKED}"),
        lambda door: door.ask("GET", f"/v1/payments?limit={MARKED}"),
        lambda door: door.ask("GET", f"/v1/{MARKED}"),
        lambda door: door.ask("GET", "/v1/payments", key=f"sk_test_{MARKED}"),
        lambda door: door.ask("GET", "/v1/payments", headers={"User-Agent": MARKED}),
    ],
)
def test_what_was_sent_is_never_echoed(door: Door, lines: list[bytes], send: Any) -> None:
    answer = send(door)
    runtime.log.flush()
    assert lines
    assert MARKED not in answer.text
    assert MARKED not in str(answer.headers)
    assert MARKED.encode() not in b"".join(lines)
    assert MARKED not in repr(door.house.audit.entries)


def test_a_client_that_leaves_gets_no_answer_and_an_entry(door: Door) -> None:
    sent: list[Any] = []
    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/v1/sandbox_accounts"}
    scope |= {"query_string": b"", "client": None, "headers": [], "root_path": ""}

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(cast(Any, door.app(cast(Any, scope), receive, send)))
    assert sent == []
    assert door.house.audit.entries[-1][1]["status_code"] == 499


def test_requests_are_counted_by_operation_and_status(door: Door) -> None:
    labels = {"operation": "check_liveness", "status": "200"}
    before = REGISTRY.get_sample_value("paymint_request_seconds_count", labels) or 0
    door.ask("GET", "/healthz", key=None)
    assert REGISTRY.get_sample_value("paymint_request_seconds_count", labels) == before + 1


def test_what_clients_write_is_not_kept_at_its_length(door: Door) -> None:
    long = "x" * 200_000
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(40):
        headers = {"User-Agent": f"{number}{long}", "Accept-Encoding": f"{number}{long}"}
        door.ask("GET", "/openapi.json", headers=headers)
    door.house.audit.entries.clear()
    door.requests.clear()
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 4_000_000


def test_a_refused_body_leaves_nothing_to_the_collector() -> None:
    shape = shape_of(DOCUMENT, {"$ref": "#/components/schemas/CustomerCreate"})
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            with suppress(Malformed):
                shape.check({"email": 1})
        assert gc.collect() == 0
    finally:
        gc.enable()
