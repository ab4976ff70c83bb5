"""Who may do what: keys, scopes, the standing of the merchant's account."""

import pytest

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
    ],
)
def test_the_standing_of_the_account(
    door: Door, status: str, livemode: bool, method: str, path: str, expected: tuple[int, str]
) -> None:
    with_caller(door, merchant_status=status, livemode=livemode)
    answer = (
        door.pay(GOOD) if (method, path) == ("POST", "/v1/payments") else door.ask(method, path)
    )
    assert answer.status_code == expected[0]
    assert expected[1] == "" or answer.json()["error"]["code"] == expected[1]
