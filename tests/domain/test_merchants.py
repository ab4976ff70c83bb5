"""Where an account may go from where it stands, and who may change what of it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from domain.callers import Caller
from domain.merchants import STEPS, check_may_change, check_step, is_readable
from domain.refusals import Forbidden, Unprocessable

ALLOWED = {
    ("pending_review", "active"),
    ("pending_review", "terminated"),
    ("active", "suspended"),
    ("suspended", "active"),
    ("suspended", "terminated"),
}
OPERATOR = frozenset({"platform:admin"})
ADMIN = frozenset({"merchant:admin"})


def caller(scopes: frozenset[str], status: str = "active", livemode: bool = False) -> Caller:
    return Caller(UUID(int=1), livemode, UUID(int=2), "sk_...", scopes, status)


@pytest.mark.parametrize("before", STEPS)
@pytest.mark.parametrize("after", STEPS)
def test_every_step(before: str, after: str) -> None:
    if before == after or (before, after) in ALLOWED:
        check_step(before, after)
        return
    with pytest.raises(Unprocessable) as refusal:
        check_step(before, after)
    assert refusal.value.code == "merchant_unexpected_state"
    assert refusal.value.values == {"status": before}


@pytest.mark.parametrize(
    ("who", "fields", "code"),
    [
        (caller(OPERATOR), {"status", "mcc"}, None),
        (caller(OPERATOR), {"webhook_url"}, "insufficient_scope"),
        (caller(ADMIN), {"status"}, "insufficient_scope"),
        (caller(ADMIN, livemode=True), {"mcc"}, "insufficient_scope"),
        (caller(ADMIN), {"webhook_url"}, None),
        (caller(ADMIN), {"webhook_url", "business_name"}, "live_key_required"),
        (caller(ADMIN, "suspended"), {"settlement_currency"}, "live_key_required"),
        (caller(ADMIN, livemode=True), {"settlement_currency"}, None),
        (caller(ADMIN, "pending_review"), {"business_name", "settlement_currency"}, None),
    ],
)
def test_who_changes_what(who: Caller, fields: set[str], code: str | None) -> None:
    if code is None:
        check_may_change(who, fields)
        return
    with pytest.raises(Forbidden) as refusal:
        check_may_change(who, fields)
    assert refusal.value.code == code


def test_a_closed_account_is_readable_for_ninety_days() -> None:
    closed = datetime(2026, 4, 1, tzinfo=UTC)
    assert is_readable(None, closed)
    assert is_readable(closed, closed + timedelta(days=90) - timedelta(milliseconds=1))
    assert not is_readable(closed, closed + timedelta(days=90))
