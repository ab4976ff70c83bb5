"""Who may do what: keys, scopes, the standing of the merchant's account."""

from datetime import timedelta

import pytest

from domain.allowlists import networks
from domain.callers import Caller
from generated.operations import OPERATIONS, OperationRow
from tests.gateway.door import KEY, Door, caller

GATEWAY = [row for row in OPERATIONS if row.house == "gateway"]
SECURED = [row for row in GATEWAY if row.scopes]
GOOD = b'{"amount":5000,"currency":"usd","payment_method_id":"pm_4f2e8a9b"}'


def filled(row: OperationRow) -> str:
    return row.path.replace("{", "").replace("}", "")


def with_caller(door: Door, **changes: object) -> Caller:
    door.house.keys.callers[KEY] = caller(**changes)
    return door.house.keys.callers[KEY]


def test_the_document_has_secured_operations() -> None:
    assert len(SECURED) > 20


@pytest.mark.parametrize("row", SECURED, ids=lambda row: row.operation_id)
def test_no_token_is_401(door: Door, row: OperationRow) -> None:
    answer = door.ask(row.method, filled(row), key=None)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "api_key_missing"
    assert answer.headers["www-authenticate"] == 'Bearer realm="paymint"'
    assert door.requests == []


@pytest.mark.parametrize("row", SECURED, ids=lambda row: row.operation_id)
def test_a_key_without_a_scope_is_403(door: Door, row: OperationRow) -> None:
    with_caller(door, scopes=frozenset())
    answer = door.ask(row.method, filled(row))
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "insufficient_scope"
    assert door.requests == []
    assert door.house.keys.asked == 1


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        ("Bearer sk_test_unknown", 401, "api_key_invalid"),
        ("Bearer ", 401, "api_key_missing"),
        ("Basic c2s6", 401, "api_key_missing"),
        ("Bearer pk_test_public", 403, "key_kind_forbidden"),
        ("Bearer " + "a" * 256, 401, "api_key_invalid"),
        ("bearer sk_test_all", 200, ""),
    ],
)
def test_the_authorization_header(door: Door, header: str, status: int, code: str) -> None:
    answer = door.ask("GET", "/v1/payments", key=None, headers={"Authorization": header})
    assert answer.status_code == status
    assert code == "" or answer.json()["error"]["code"] == code


def test_either_of_two_alternatives_admits(door: Door) -> None:
    for scope in ("refunds:write", "payments:read", "payments:write"):
        with_caller(door, scopes=frozenset({scope}))
        assert door.ask("GET", "/v1/payments/pay_1/refunds/ref_1").status_code == 200
    _, entry = door.house.audit.entries[-1]
    assert entry["scopes_used"] == ("payments:read",)


@pytest.mark.parametrize(
    ("status", "livemode", "method", "path", "expected"),
    [
        ("pending_review", False, "POST", "/v1/payments", (201, "")),
        ("pending_review", True, "POST", "/v1/payments", (403, "merchant_not_active")),
        ("pending_review", True, "GET", "/v1/payments", (403, "merchant_not_active")),
        ("suspended", True, "GET", "/v1/payments", (200, "")),
        ("suspended", True, "POST", "/v1/payments", (403, "merchant_suspended")),
        ("suspended", False, "POST", "/v1/payments", (403, "merchant_suspended")),
        ("suspended", True, "POST", "/v1/payments/pay_1/refunds", (201, "")),
        ("suspended", True, "POST", "/v1/disputes/dsp_1/evidence", (400, "body_missing")),
        ("terminated", True, "POST", "/v1/disputes/dsp_1/evidence", (403, "merchant_not_active")),
        ("active", True, "POST", "/v1/test_helpers/disputes", (403, "test_mode_only")),
        ("active", False, "POST", "/v1/test_helpers/disputes", (400, "body_missing")),
        ("terminated", True, "GET", "/v1/payments", (200, "")),
        ("terminated", True, "POST", "/v1/payments", (403, "merchant_suspended")),
        ("terminated", True, "POST", "/v1/customers", (403, "merchant_not_active")),
        ("active", True, "GET", "/v1/test_helpers/clocks", (403, "test_mode_only")),
        ("pending_review", True, "GET", "/v1/test_helpers/clocks", (403, "test_mode_only")),
        ("pending_review", False, "GET", "/v1/test_helpers/clocks", (200, "")),
        ("suspended", False, "POST", "/v1/test_helpers/events", (400, "body_missing")),
        ("pending_review", False, "GET", "/v1/api_keys", (200, "")),
        ("pending_review", True, "GET", "/v1/api_keys", (403, "merchant_not_active")),
        ("suspended", True, "POST", "/v1/payments/pay_1/capture", (403, "merchant_suspended")),
        ("suspended", True, "POST", "/v1/payments/pay_1/cancel", (200, "")),
        ("suspended", True, "DELETE", "/v1/api_keys/key_1", (200, "")),
        ("suspended", True, "POST", "/v1/customers", (201, "")),
        ("terminated", True, "GET", "/v1/merchants", (200, "")),
        ("terminated", False, "GET", "/v1/api_keys", (200, "")),
        ("terminated", True, "DELETE", "/v1/api_keys/key_1", (403, "merchant_not_active")),
    ],
)
def test_the_standing_of_the_account(
    door: Door, status: str, livemode: bool, method: str, path: str, expected: tuple[int, str]
) -> None:
    with_caller(door, merchant_status=status, livemode=livemode)
    if (method, path) == ("POST", "/v1/payments"):
        answer = door.pay(GOOD)
    elif (method, path) == ("POST", "/v1/customers"):
        answer = door.ask(method, path, json={})
    else:
        answer = door.ask(method, path)
    assert answer.status_code == expected[0]
    assert expected[1] == "" or answer.json()["error"]["code"] == expected[1]


def test_a_closed_account_is_read_for_ninety_days(door: Door) -> None:
    now = door.house.clock.now()
    for days, status in ((89, 200), (91, 403)):
        closed = now - timedelta(days=days)
        with_caller(door, merchant_status="terminated", terminated_at=closed)
        answer = door.ask("GET", "/v1/payments")
        assert answer.status_code == status
    assert answer.json()["error"]["code"] == "merchant_not_active"


@pytest.mark.parametrize("row", SECURED, ids=lambda row: row.operation_id)
def test_a_key_is_refused_outside_of_its_networks(door: Door, row: OperationRow) -> None:
    """On every operation, and before its scopes are told apart."""
    with_caller(door, scopes=frozenset(), allowed_from=networks(["203.0.113.0/24"]))
    answer = door.ask(row.method, filled(row))
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "ip_not_allowed"
    assert door.requests == []


def test_a_key_is_admitted_from_its_networks(door: Door) -> None:
    with_caller(door, allowed_from=networks(["10.0.0.0/8", "127.0.0.0/8"]))
    assert door.ask("GET", "/v1/payments").status_code == 200
    _, entry = door.house.audit.entries[-1]
    assert entry["ip_address"] == "127.0.0.1"
