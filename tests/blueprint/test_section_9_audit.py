"""Blueprint section 9, "Audit Logging Schema", line by line, at both doors."""

import re
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
import pytest

from tests.shop import Merchant, Shop, bearer, card

FIELDS = (
    "timestamp",
    "request_id",
    "merchant_id",
    "api_key_prefix",
    "method",
    "path",
    "status_code",
    "ip_address",
    "user_agent",
    "latency_ms",
    "resource_id",
    "scopes_used",
    "idempotency_key",
    "risk_signals",
)
_ENTRY = "SELECT entry FROM audit_entries WHERE id = %s"
_NOW = timedelta(seconds=60)


def entry(shop: Shop, request_id: str, process: str = "paymint-api") -> dict[str, Any] | None:
    """The stored entry of a request, looked for once: it is there before the answer is."""
    with shop.database(process) as connection:
        name = UUID(hex=request_id.removeprefix("req_"))
        row = connection.execute(_ENTRY, (name,)).fetchone()
    return None if row is None else row[0]


def written(shop: Shop, answer: httpx.Response, process: str = "paymint-api") -> dict[str, Any]:
    found = entry(shop, answer.headers["x-request-id"], process)
    assert found is not None
    return found


def test_every_field_of_a_payment(shop: Shop, merchant: Merchant) -> None:
    key, token = str(uuid4()), merchant.tokenise()
    answer = merchant.ask(
        "POST",
        "/v1/payments",
        {"amount": 10000, "currency": "usd", "payment_method_id": token},
        key=key,
        headers={"User-Agent": "MerchantApp/2.1.0"},
    )
    found = written(shop, answer)
    assert tuple(found) == FIELDS
    moment = datetime.fromisoformat(found["timestamp"])
    assert found["timestamp"].endswith("Z") and abs(datetime.now(UTC) - moment) < _NOW
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found["timestamp"])
    assert found["request_id"] == answer.headers["x-request-id"]
    assert found["merchant_id"] == merchant.id
    assert found["api_key_prefix"] == f"sk_test_...{merchant.secret_key[-4:]}"
    assert (found["method"], found["path"], found["status_code"]) == ("POST", "/v1/payments", 201)
    assert found["ip_address"] == "127.0.0.1"
    assert found["user_agent"] == "MerchantApp/2.1.0"
    assert found["latency_ms"] > 0
    assert found["resource_id"] == answer.json()["id"]
    assert found["scopes_used"] == ["payments:write"]
    assert found["idempotency_key"] == key
    assert found["risk_signals"] is None or found["risk_signals"].keys() == {
        "ip_country",
        "velocity_flag",
    }


def test_every_field_of_a_token(shop: Shop, merchant: Merchant) -> None:
    key = str(uuid4())
    sent = {"Idempotency-Key": key, "User-Agent": "PayerApp/1.0"}
    answer = merchant.token_answer(card(), **sent)
    found = written(shop, answer, "paymint-vault")
    assert tuple(found) == FIELDS
    assert found["request_id"] == answer.headers["x-request-id"]
    assert found["merchant_id"] == merchant.id
    assert found["api_key_prefix"] == f"pk_test_...{merchant.publishable_key[-4:]}"
    assert (found["method"], found["path"], found["status_code"]) == ("POST", "/v1/tokens", 201)
    assert (found["ip_address"], found["user_agent"]) == ("127.0.0.1", "PayerApp/1.0")
    assert found["latency_ms"] > 0
    assert found["resource_id"] == answer.json()["id"]
    assert found["idempotency_key"] == key
    assert "4242" not in str({**found, "request_id": "", "merchant_id": "", "resource_id": ""})


@pytest.mark.parametrize(
    ("status", "ask"),
    [
        (404, lambda m: m.ask("GET", "/v1/nothing")),
        (405, lambda m: m.ask("PUT", "/v1/payments")),
        (401, lambda m: m.http.get("/v1/payments")),
        (401, lambda m: m.http.get("/v1/payments", headers=bearer("sk_test_" + "0" * 40))),
        (403, lambda m: m.http.get("/v1/payments", headers=bearer(m.publishable_key))),
        (400, lambda m: m.ask("GET", "/v1/payments?limit=0")),
        (404, lambda m: m.ask("GET", f"/v1/payments/pay_{'0' * 32}")),
        (200, lambda m: m.http.get("/openapi.json")),
        (404, lambda m: m.ask("GET", "/v1/%ED%A0%80%0d%0a%1b[31m")),
    ],
)
def test_every_request_has_an_entry(
    shop: Shop, merchant: Merchant, status: int, ask: Callable[[Merchant], httpx.Response]
) -> None:
    answer = ask(merchant)
    assert answer.status_code == status
    assert written(shop, answer)["status_code"] == status


def test_refused_tokens_have_an_entry(shop: Shop, merchant: Merchant) -> None:
    for status, answer in (
        (401, merchant.vault.post("/v1/tokens", json=card())),
        (400, merchant.token_answer({"type": "card"})),
        (404, merchant.vault.get("/v1/nothing")),
        (204, merchant.vault.options("/v1/tokens")),
    ):
        assert answer.status_code == status
        assert written(shop, answer, "paymint-vault")["status_code"] == status


def test_probes_of_health_have_none(shop: Shop) -> None:
    for client, path, process in (
        (shop.http, "/healthz", "paymint-api"),
        (shop.http, "/readyz", "paymint-api"),
        (shop.vault, "/healthz", "paymint-vault"),
    ):
        answer = client.get(path)
        assert entry(shop, answer.headers["x-request-id"], process) is None


def raw(origin: str, agent: bytes, status: bytes) -> str:
    """The request id of a request with this user agent, sent byte by byte as given."""
    place = urlsplit(origin)
    head = b"GET /v1/payments HTTP/1.1\r\nHost: x\r\nConnection: close\r\nUser-Agent: "
    with socket.create_connection((str(place.hostname), place.port or 0), timeout=10) as line:
        line.sendall(head + agent + b"\r\n\r\n")
        answer = b""
        while piece := line.recv(65536):
            answer += piece
    assert answer.split(b" ", 2)[1] == status, answer
    named = re.search(rb"(?i)x-request-id: (req_[0-9a-f]{32})", answer)
    assert named is not None, answer
    return named.group(1).decode()


@pytest.mark.parametrize(
    "agent",
    [
        b"curl\t8",
        b"caf\xe9 \xe2\x80\xa8{}",
        b"\xc2\x9b31m red",
        b'"}\\u000a{"event":"payment_captured"}',
    ],
)
@pytest.mark.parametrize("door", ["paymint-api", "paymint-vault"])
def test_a_user_agent_writes_no_line_of_its_own(shop: Shop, door: str, agent: bytes) -> None:
    origin = shop.base_url if door == "paymint-api" else shop.vault_url
    status = b"401" if door == "paymint-api" else b"404"
    found = entry(shop, raw(origin, agent, status), door)
    assert found is not None
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", found["user_agent"])


@pytest.mark.parametrize("agent", [b"x\x1b[31mred", b"x\x00y", b"x\ry"])
@pytest.mark.parametrize("door", ["paymint-api", "paymint-vault"])
def test_a_head_with_controls_is_no_request(shop: Shop, door: str, agent: bytes) -> None:
    """The reader of heads refuses it with 400 before there is anything to write down."""
    origin = shop.base_url if door == "paymint-api" else shop.vault_url
    assert entry(shop, raw(origin, agent, b"400"), door) is None


@pytest.mark.parametrize(
    "number", ["4242424242424242", "4242 4242 4242 4242", "4242-4242-4242-4242", "378282246310005"]
)
def test_a_card_number_in_a_user_agent_is_masked(
    shop: Shop, merchant: Merchant, number: str
) -> None:
    headers = {"User-Agent": f"App ({number})"}
    answers = {
        "paymint-api": merchant.ask("GET", "/v1/customers", headers=headers),
        "paymint-vault": merchant.token_answer(card(), **headers),
    }
    for process, answer in answers.items():
        assert written(shop, answer, process)["user_agent"] == "App ([masked])"


def test_reading_the_log_is_logged(shop: Shop, merchant: Merchant) -> None:
    first = merchant.ask("GET", "/v1/request_logs")
    second = merchant.ask("GET", f"/v1/request_logs/{first.headers['x-request-id']}")
    assert written(shop, first)["path"] == "/v1/request_logs"
    assert written(shop, second)["path"] == "/v1/request_logs/{request_id}"
    assert written(shop, second)["resource_id"] == first.headers["x-request-id"]
