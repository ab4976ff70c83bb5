"""Who may ask what: no key, a wrong key, a key of the other kind, for every operation."""

import importlib
import secrets
from typing import Any
from uuid import uuid4

import httpx
import pytest

from generated.operations import OPERATIONS, OperationRow
from tests.document import DOCUMENT
from tests.shop import Merchant, Shop, bearer, card, error

METHODS = ("get", "post", "put", "patch", "delete", "head", "options", "trace")
SECURED = [row for row in OPERATIONS if row.scopes]
OPERATOR = "platform:admin"
PUBLIC = {"create_sandbox_account", "check_liveness", "check_readiness"}
# Clients of OAuth prove themselves by secret and PKCE, not by a key.
PUBLIC |= {
    "create_access_token",
    "revoke_token",
    "retrieve_oauth_metadata",
    "retrieve_signing_keys",
}
PUBLIC |= {row.operation_id for row in OPERATIONS if row.tag in ("documents", "pages")}


def ask(shop: Shop, row: OperationRow, headers: dict[str, str]) -> httpx.Response:
    """The operation at its own door, with ids that nobody has."""
    door = shop.vault if row.house == "vault" else shop.http
    path = row.path.replace("{", "").replace("}", "")
    body = {"json": card()} if row.house == "vault" else {}
    sent = {"Idempotency-Key": str(uuid4()), **headers}
    return door.request(row.method, path, headers=sent, **body)  # type: ignore[arg-type]


def declared() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method.upper(), item[method])
        for path, item in DOCUMENT["paths"].items()
        for method in METHODS
        if method in item
    ]


def test_the_table_is_the_document() -> None:
    operations = {(row.path, row.method, row.operation_id) for row in OPERATIONS}
    assert operations == {(path, method, node["operationId"]) for path, method, node in declared()}
    assert len(operations) >= 28
    assert {row.operation_id for row in OPERATIONS} - {r.operation_id for r in SECURED} == PUBLIC


@pytest.mark.parametrize(
    "row", [row for row in OPERATIONS if row.house == "gateway"], ids=lambda row: row.operation_id
)
def test_every_operation_has_a_handler(row: OperationRow) -> None:
    handler = getattr(importlib.import_module(f"handlers.{row.tag}"), row.operation_id)
    assert callable(handler)


@pytest.mark.parametrize("row", SECURED, ids=lambda row: row.operation_id)
@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "api_key_missing"),
        ("", "api_key_missing"),
        ("Basic c2s6", "api_key_missing"),
        ("Bearer", "api_key_missing"),
    ],
)
def test_no_token_is_401(
    shop: Shop, row: OperationRow, authorization: str | None, code: str
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = ask(shop, row, headers)
    assert error(answer) == (401, code, None)
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("row", SECURED, ids=lambda row: row.operation_id)
def test_a_key_that_nobody_was_given_is_401(shop: Shop, row: OperationRow) -> None:
    prefix = "pk_test_" if row.house == "vault" else "sk_test_"
    for text in ("x", prefix, prefix + "A" * 60, prefix + "A" * 300, prefix + "\u00e9"):
        headers = {"Authorization": f"Bearer {text}"}
        answer = ask(shop, row, {k: v.encode("latin-1") for k, v in headers.items()})  # type: ignore[misc]
        assert error(answer)[0] == 401, text


def spoilt(key: str) -> str:
    """The key with its last character changed."""
    return key[:-1] + ("a" if key[-1] != "a" else "b")


@pytest.mark.parametrize("row", SECURED, ids=lambda row: row.operation_id)
def test_a_key_that_is_nearly_right_is_401(
    shop: Shop, module_merchant: Merchant, row: OperationRow
) -> None:
    right = module_merchant.secret_key
    if row.house == "vault":
        right = module_merchant.publishable_key
    livemode = right.replace("_test_", "_live_")
    for wrong in (spoilt(right), livemode, right + "a", right[:-1]):
        assert error(ask(shop, row, bearer(wrong)))[:2] == (401, "api_key_invalid")


@pytest.fixture(scope="module")
def module_merchant(shop: Shop) -> Merchant:
    return shop.open_account()


@pytest.mark.parametrize("row", SECURED, ids=lambda row: row.operation_id)
def test_a_key_of_the_other_kind_is_403(
    shop: Shop, module_merchant: Merchant, row: OperationRow
) -> None:
    key = module_merchant.publishable_key
    if row.house == "vault":
        key = module_merchant.secret_key
    assert error(ask(shop, row, bearer(key))) == (403, "key_kind_forbidden", None)


@pytest.mark.parametrize(
    "row",
    [row for row in SECURED if (OPERATOR,) not in row.scopes],
    ids=lambda row: row.operation_id,
)
def test_the_operators_key_sees_no_payments(shop: Shop, row: OperationRow) -> None:
    status, code, _ = error(ask(shop, row, bearer(shop.platform_key)))
    wanted = "key_kind_forbidden" if row.house == "vault" else "insufficient_scope"
    assert (status, code) == (403, wanted)


def test_the_operators_key_opens_accounts_and_keys_only() -> None:
    opened = {row.operation_id for row in SECURED if (OPERATOR,) in row.scopes}
    tags = {row.tag for row in OPERATIONS if row.operation_id in opened}
    # Alerts: those of the platform itself (tests/journeys/test_alerts.py).
    assert tags == {"merchants", "api_keys", "oauth", "alerts"}
    assert opened >= {"create_merchant", "suspend_api_key"}
    assert not opened & {"roll_api_key", "create_live_keys", "request_production_access"}


def test_a_key_in_the_query_is_no_key(shop: Shop, module_merchant: Merchant) -> None:
    for name in ("api_key", "access_token", "key"):
        answer = shop.http.get("/v1/payments", params={name: module_merchant.secret_key})
        assert error(answer)[0] == 401


def test_guessing_costs_no_hashing(shop: Shop) -> None:
    """An id that nobody has is refused before Argon2: a flood of guesses costs us nothing."""
    for _ in range(50):
        guess = "sk_test_" + secrets.token_hex(36)
        answer = shop.http.get("/v1/payments", headers=bearer(guess))
        assert answer.status_code == 401
        assert answer.elapsed.total_seconds() < 5
