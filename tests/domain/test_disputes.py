"""The rules of disputes: steps, deadline, money, ids."""

from datetime import UTC, datetime, timedelta
from itertools import product
from uuid import UUID, uuid4

import pytest

from domain import disputes
from domain.refunds import refund_amount
from domain.refusals import Unprocessable

STATUSES = ("needs_response", "under_review", "won", "lost")
ACTIONS = ("answer", "expire", "won", "lost")
OPENED_AT = datetime(2026, 4, 11, 17, 50, 16, 820000, UTC)
DUE_BY = datetime(2026, 4, 25, 23, 59, 59, tzinfo=UTC)
MINUTE_MS, BITS_AFTER_TIME = 60_000, 80


def test_a_dispute_runs_forward_and_ends_once() -> None:
    allowed = {(step.status, step.action): step.becomes for step in disputes.TRANSITIONS}
    assert allowed == {
        ("needs_response", "answer"): "under_review",
        ("needs_response", "expire"): "lost",
        ("needs_response", "won"): "won",
        ("needs_response", "lost"): "lost",
        ("under_review", "won"): "won",
        ("under_review", "lost"): "lost",
    }
    for status, action in product(STATUSES, ACTIONS):
        assert disputes.may_close(status, action) == ((status, action) in allowed)
        if (status, action) not in allowed:
            with pytest.raises(Unprocessable, match="dispute_unexpected_state"):
                disputes.transition(status, action)


def test_evidence_is_due_at_the_end_of_the_fourteenth_day() -> None:
    assert disputes.evidence_due_by(OPENED_AT) == DUE_BY
    dispute = {"status": "needs_response", "evidence_due_by": DUE_BY}
    disputes.check_answerable(dispute, DUE_BY - timedelta(milliseconds=1))
    for late in (DUE_BY, DUE_BY + timedelta(days=1)):
        with pytest.raises(Unprocessable) as refusal:
            disputes.check_answerable(dispute, late)
        assert refusal.value.values == {"status": "lost"}


def payment(refunded: int, disputed: int, status: str = "captured") -> dict[str, object]:
    return {
        "status": status,
        "amount_captured": 1000,
        "amount_refunded": refunded,
        "amount_disputed": disputed,
    }


@pytest.mark.parametrize(
    ("refunded", "disputed", "asked", "expected"),
    [
        (0, 0, None, 1000),
        (300, 200, None, 500),
        (300, 200, 500, 500),
        (300, 200, 501, ("payment_disputed", 501, 500)),
        (300, 200, 700, ("payment_disputed", 700, 500)),
        (300, 200, 701, ("refund_exceeds_capture", 701, 500)),
        (300, 700, None, ("payment_disputed", 700, 0)),
        (300, 700, 1, ("payment_disputed", 1, 0)),
        (1000, 0, None, ("refund_exceeds_capture", 0, 0)),
        (1000, 0, 1, ("refund_exceeds_capture", 1, 0)),
    ],
)
def test_what_a_refund_may_take_beside_a_dispute(
    refunded: int, disputed: int, asked: int | None, expected: int | tuple[str, int, int]
) -> None:
    row = payment(refunded, disputed)
    if isinstance(expected, int):
        assert refund_amount(row, asked) == expected
        return
    with pytest.raises(Unprocessable) as refusal:
        refund_amount(row, asked)
    values = refusal.value.values
    assert (refusal.value.code, values["amount"], values["available"]) == expected


@pytest.mark.parametrize(
    ("status", "refunded", "asked", "expected"),
    [
        ("captured", 0, None, 1000),
        ("captured", 400, None, 600),
        ("captured", 400, 600, 600),
        ("captured", 400, 601, "payment_disputed"),
        ("captured", 1000, None, "payment_disputed"),
        ("refunded", 1000, None, "payment_unexpected_state"),
        ("authorized", 0, 1, "payment_unexpected_state"),
    ],
)
def test_what_a_claim_may_take(
    status: str, refunded: int, asked: int | None, expected: int | str
) -> None:
    row = payment(refunded, 0, status)
    if isinstance(expected, int):
        assert disputes.claimed_amount(row, asked) == expected
    else:
        with pytest.raises(Unprocessable, match=expected):
            disputes.claimed_amount(row, asked)


def test_the_id_follows_from_the_chargeback() -> None:
    chargeback, opened_at_ms = uuid4(), 1_775_929_816_820
    identifier = disputes.dispute_id(chargeback, opened_at_ms)
    assert disputes.dispute_id(UUID(chargeback.hex), opened_at_ms) == identifier
    assert identifier.version == 7 and identifier.variant == "specified in RFC 4122"
    assert identifier.int >> BITS_AFTER_TIME == opened_at_ms
    assert disputes.dispute_id(uuid4(), opened_at_ms) != identifier
    assert disputes.dispute_id(chargeback, opened_at_ms + MINUTE_MS) > identifier
