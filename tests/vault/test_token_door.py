"""The token door over HTTP: what it makes, what it refuses, in which order, and to whom."""

import http.client
import json
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest
import uvloop

from contract import relay
from domain.ids import from_text
from runtime.ids import uuid7
from tests.vault.house import House
from tests.vault.merchant import VISA, Merchant, card, merchant
from tests.vault.test_attempts import played
from vault.door.desk import KEPT_SECONDS

OWN_PAGE = "https://checkout.paymint.com"
LOCAL_PAGE = "http://localhost:3000"


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: Any

    @property
    def code(self) -> str:
        return str(self.body["error"]["code"])


class Door:
    """Speaks to the token door with one key of one merchant."""

    def __init__(self, house: House, key: str, merchant_id: UUID) -> None:
        self._house = house
        self.key = key
        self.merchant_id = merchant_id

    def ask(
        self,
        body: Any = None,
        *,
        method: str = "POST",
        path: str = "/v1/tokens",
        **headers: str | None,
    ) -> Reply:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        wanted = {name: value for name, value in (sent | named).items() if value is not None}
        connection = http.client.HTTPConnection("127.0.0.1", self._house.token_port, timeout=10)
        try:
            connection.request(method, path, data if body is not None else None, wanted)
            response = connection.getresponse()
            text = response.read()
            got = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, got, json.loads(text) if text else None)
        finally:
            connection.close()


@pytest.fixture(scope="module")
def door(served: House) -> Door:
    return opened(served, "pk_test_door", livemode=False)


def opened(house: House, key: str, *, livemode: bool, revoked: bool = False) -> Door:
    async def announce() -> UUID:
        async with merchant(house) as payer:
            scope = payer.scope | {"livemode": livemode}
            await payer.door.call(relay.PublishKey(**scope, key=key, revoked=revoked))
            return payer.id

    return Door(house, key, uvloop.run(announce()))


def test_a_card_becomes_a_token(served: House, door: Door) -> None:
    reply = door.ask(card(cvc="123"))
    assert reply.status == 201
    token_id = from_text("tok", reply.body.pop("id"))
    assert token_id is not None
    times = [reply.body.pop(name) for name in ("created_at", "expires_at")]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", at) for at in times)
    assert reply.body == {
        "object": "token",
        "type": "card",
        "last_four": "4242",
        "brand": "visa",
        "exp_month": 12,
        "exp_year": 2040,
        "livemode": False,
    }
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["paymint-version"] == "2026-04-01"
    assert re.fullmatch(r"req_[0-9a-f]{32}", reply.headers["x-request-id"])
    assert VISA not in json.dumps(reply)

    async def scenario(payer: Merchant) -> None:
        payer.id = door.merchant_id
        first = await payer.door.call(payer.authorise(token_id))
        assert isinstance(first, relay.Decision)
        assert (first.outcome, first.cvc_check) == ("approved", "pass")

    played(served, scenario)


def test_bank_accounts_and_wallets(door: Door) -> None:
    account = {
        "country": "US",
        "currency": "usd",
        "routing_number": "110000000",
        "account_number": "000123456789",
    }
    reply = door.ask({"type": "bank_account", "bank_account": account})
    assert (reply.status, reply.body["last_four"], reply.body["brand"]) == (201, "6789", None)
    wallet = {"provider": "apple_pay", "payload": "wallet_ok"}
    reply = door.ask({"type": "wallet", "wallet": wallet})
    assert (reply.status, reply.body["last_four"]) == (201, None)


def test_the_code_is_used_for_one_authorisation_only(served: House, door: Door) -> None:
    async def scenario(payer: Merchant) -> None:
        payer.id = door.merchant_id
        token_id = from_text("tok", door.ask(card(cvc="123")).body["id"])
        assert token_id is not None
        request = payer.authorise(token_id)
        checks = []
        for attempt_id in (request.attempt_id, uuid7()):
            fields = {"attempt_id": attempt_id, "payment_id": request.payment_id}
            answer = await payer.door.call(payer.authorise(token_id, **fields))
            assert isinstance(answer, relay.Decision)
            checks.append(answer.cvc_check)
        assert checks == ["pass", "unavailable"]

    played(served, scenario)


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"number": "4242424242424241"}, "incorrect_number", "card.number"),
        ({"number": "6011111111111117"}, "card_not_supported", "card.number"),
        ({"exp_month": 13}, "invalid_expiry_month", "card.exp_month"),
        ({"exp_year": 2020}, "invalid_expiry_year", "card.exp_year"),
        ({"cvc": "99"}, "invalid_cvc", "card.cvc"),
    ],
)
def test_data_that_cannot_be_right_is_402(
    door: Door, fields: dict[str, Any], code: str, param: str
) -> None:
    body = card()
    body["card"] |= fields
    reply = door.ask(body)
    assert (reply.status, reply.code) == (402, code)
    error = reply.body["error"]
    assert (error["type"], error["param"]) == ("card_error", param)
    assert error["request_id"] == reply.headers["x-request-id"]
    assert "payment_id" not in error
    assert body["card"]["number"] not in json.dumps(reply)


@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [
        (None, 401, "api_key_missing"),
        ("Basic abc", 401, "api_key_missing"),
        ("Bearer nothing", 401, "api_key_invalid"),
        ("Bearer pk_test_unknown", 401, "api_key_invalid"),
        ("Bearer pk_test_" + "x" * 500, 401, "api_key_invalid"),
        ("Bearer sk_test_whatever", 403, "key_kind_forbidden"),
        ("Bearer sk_platform_whatever", 403, "key_kind_forbidden"),
    ],
)
def test_who_is_not_let_in(door: Door, authorization: str | None, status: int, code: str) -> None:
    # The key comes before the body, however broken that is.
    reply = door.ask(b"{", Authorization=authorization)
    assert (reply.status, reply.code) == (status, code)
    assert ("www-authenticate" in reply.headers) == (status == 401)


def test_a_key_is_refused_while_it_is_suspended_and_once_it_has_expired(served: House) -> None:
    key = opened(served, "pk_test_suspended", livemode=False)

    def tell(**state: Any) -> None:
        async def announce() -> None:
            async with merchant(served) as payer:
                scope = payer.scope | {"merchant_id": key.merchant_id}
                await payer.door.call(relay.PublishKey(**scope, key=key.key, **state))

        uvloop.run(announce())
        time.sleep(KEPT_SECONDS)

    assert key.ask(card()).status == 201
    tell(suspended=True)
    assert (key.ask(card()).status, key.ask(card()).code) == (401, "api_key_suspended")
    expires_at = datetime.now(UTC) + timedelta(seconds=4.0)
    tell(expires_at=expires_at)
    assert key.ask(card()).status == 201
    time.sleep((expires_at - datetime.now(UTC)).total_seconds())
    assert (key.ask(card()).status, key.ask(card()).code) == (401, "api_key_expired")


def test_a_revoked_key_is_refused_and_stays_so(served: House) -> None:
    revoked = opened(served, "pk_test_revoked", livemode=False, revoked=True)
    assert revoked.ask(card()).code == "api_key_revoked"

    async def announce_late(payer: Merchant) -> None:
        payer.id = revoked.merchant_id
        await payer.door.call(relay.PublishKey(**payer.scope, key=revoked.key))

    played(served, announce_late)
    assert revoked.ask(card()).code == "api_key_revoked"


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"x" * 300_000, {}, 413, "payload_too_large"),
        (card(), {"Content_Type": "text/plain"}, 415, "content_type_unsupported"),
        (b"{", {}, 400, "json_invalid"),
        (b'{"type":"card","type":"card"}', {}, 400, "json_duplicate_key"),
        ({"type": "card"}, {}, 400, "parameter_missing"),
        (card() | {"extra": 1}, {}, 400, "parameter_unknown"),
        ({"type": "cash"}, {}, 400, "parameter_invalid_enum"),
        (card(), {"Idempotency_Key": "abc"}, 400, "idempotency_key_invalid"),
    ],
)
def test_bodies_that_break_the_contract(
    door: Door, body: Any, headers: dict[str, str], status: int, code: str
) -> None:
    reply = door.ask(body, **headers)
    assert (reply.status, reply.code) == (status, code)


def test_paths_methods_and_queries(door: Door) -> None:
    assert door.ask(path="/v1/payments").status == 404
    wrong = door.ask(method="GET", path="/v1/tokens")
    assert (wrong.status, wrong.headers["allow"]) == (405, "POST, OPTIONS")
    assert door.ask(card(), path="/v1/tokens?a=b").code == "parameter_unknown"
    alive = door.ask(method="GET", path="/healthz", Authorization=None)
    assert (alive.status, alive.body) == (200, {"status": "ok"})
    head = door.ask(method="HEAD", path="/healthz")
    assert (head.status, head.body) == (200, None)


def test_one_request_key_makes_one_token(door: Door) -> None:
    key = str(uuid4())
    first = door.ask(card(cvc="123"), Idempotency_Key=key)
    again = door.ask(card(cvc="456"), Idempotency_Key=key.upper())
    assert first.status == again.status == 201
    assert first.body == again.body
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    other = door.ask(card("5555555555554444"), Idempotency_Key=key)
    assert (other.status, other.code) == (409, "idempotency_key_reused")
    refused = str(uuid4())
    for replayed in (None, "true"):
        reply = door.ask(card("4242424242424241"), Idempotency_Key=refused)
        assert (reply.status, reply.headers.get("idempotent-replayed")) == (402, replayed)


@pytest.mark.parametrize(
    ("origin", "test_mode", "live_mode"),
    [
        (OWN_PAGE, True, True),
        (LOCAL_PAGE, True, False),
        ("http://127.0.0.1:5173", True, False),
        ("https://paymint.com.evil.example", False, False),
        ("https://evilpaymint.com", False, False),
        ("http://checkout.paymint.com", False, False),
        ("null", False, False),
    ],
)
def test_which_pages_may_read_an_answer(
    served: House, door: Door, origin: str, test_mode: bool, live_mode: bool
) -> None:
    live = opened(served, f"pk_live_{uuid7().hex}", livemode=True)
    for asked, allowed in ((door, test_mode), (live, live_mode)):
        reply = asked.ask(card(), Origin=origin)
        assert reply.status == 201
        assert reply.headers.get("access-control-allow-origin") == (origin if allowed else None)
        assert reply.headers["vary"] == "Origin"
    preflight = door.ask(
        method="OPTIONS",
        Origin=origin,
        Authorization=None,
        Access_Control_Request_Method="POST",
    )
    assert preflight.status == 204
    assert ("access-control-allow-headers" in preflight.headers) == test_mode


def test_a_number_leaves_no_trace_wherever_it_is_put(served: House, door: Door) -> None:
    """PCI DSS 4.0.1 req. 3.4.1: misuse of the door does not get a number into a log."""
    marked = "4929130847561029"
    good = card(marked)
    replies = [
        door.ask(good, Idempotency_Key=str(uuid4())),
        door.ask(good | {marked: marked}),
        door.ask({"type": marked}),
        door.ask({"type": "card", "card": marked}),
        door.ask({"type": "card", "card": {"number": int(marked)}}),
        door.ask(b'{"type":"card","card":{"number":"' + marked.encode() + b'"'),
        door.ask(good, Idempotency_Key=marked),
        door.ask(good, Origin=marked),
        door.ask(good, Authorization=f"Bearer pk_{marked}"),
        door.ask(good, Content_Type=marked),
        door.ask(good, path=f"/v1/tokens?number={marked}"),
        door.ask(good, path=f"/v1/tokens/{marked}"),
    ]
    assert [reply.status for reply in replies] == [201, *[400] * 6, 201, 401, 415, 400, 404]
    assert marked not in repr(replies)
    assert marked.encode() not in served.log_path.read_bytes()
    assert marked.encode() not in b"".join(
        path.read_bytes() for path in served.directory.rglob("*") if path.is_file()
    )
