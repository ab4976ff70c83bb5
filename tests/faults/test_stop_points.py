"""kill -9 of the API at every named point of a request: one payment, one approval, one answer."""

from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest

from tests.faults.evidence import Evidence
from tests.faults.stop_points import (
    CANCEL,
    CAPTURE,
    POINTS,
    REFUND,
    REFUND_POINTS,
    SALE,
    Place,
    Scene,
    after_the_network_was_asked,
    before_the_commit,
)
from tests.shop import Merchant, Shop, told

Point = Callable[[Scene, Place], None]
AMOUNT = 10000
REFUNDED = 4000


def named(value: object) -> str:
    """An id for pytest."""
    return str(value["action"]) if isinstance(value, dict) else getattr(value, "__name__", "")


def after_the_end(scene: Scene, status: int) -> httpx.Response:
    """Nobody was told; the retry is, and so is whoever asks once more."""
    scene.nobody_was_told()
    scene.serves_again()
    answer = scene.asked_again()
    body = told(answer, status)
    again = scene.asked_again()
    assert told(again, status) == body
    assert again.headers["idempotent-replayed"] == "true"
    return answer


def check(evidence: Evidence) -> None:
    """Our state is the networks', with its event and its count."""
    evidence.nothing_stays_unfinished()
    evidence.network_agrees()
    evidence.counters_are_exact()
    evidence.every_transition_has_its_event()


@pytest.mark.parametrize("point", POINTS, ids=named)
def test_a_sale_is_one_payment_and_one_approval(
    point: Point, fault_shop: Shop, merchant: Merchant, saved_card: str, evidence: Evidence
) -> None:
    key = str(uuid4())
    scene = Scene(fault_shop, merchant, lambda: merchant.pay_answer(saved_card, key=key))
    point(scene, SALE)
    answer = after_the_end(scene, 201).json()
    assert (answer["status"], answer["amount_captured"]) == ("captured", AMOUNT)
    assert [row["id"].hex for row in evidence.payments()] == [answer["id"].removeprefix("pay_")]
    assert fault_shop.decisions(answer["id"]) == [("sale", "approved")]
    assert set(evidence.journal()) == {answer["id"].removeprefix("pay_")}
    check(evidence)


# Cancelling is the same code as capturing; what differs is the outcome that recovery records.
OPERATIONS = [(CAPTURE, point) for point in POINTS] + [
    (CANCEL, point) for point in (after_the_network_was_asked, before_the_commit)
]


@pytest.mark.parametrize(("place", "point"), OPERATIONS, ids=named)
def test_a_capture_and_a_cancellation_happen_once(
    place: Place,
    point: Point,
    fault_shop: Shop,
    merchant: Merchant,
    saved_card: str,
    evidence: Evidence,
) -> None:
    payment, key = merchant.pay(saved_card, capture=False)["id"], str(uuid4())
    scene = Scene(fault_shop, merchant, lambda: merchant.act(payment, place["action"], key=key))
    point(scene, place)
    answer = after_the_end(scene, 200).json()
    assert answer["status"] == place["end"]
    assert answer == merchant.payment(payment)
    journal = fault_shop.decisions(payment)
    assert journal == [("authorise", "approved"), (place["kind"], "approved")]
    check(evidence)


@pytest.mark.parametrize("point", REFUND_POINTS, ids=named)
def test_a_refund_reserves_once(
    point: Point, fault_shop: Shop, merchant: Merchant, saved_card: str, evidence: Evidence
) -> None:
    payment, key = merchant.pay(saved_card)["id"], str(uuid4())
    body = {"amount": REFUNDED}
    scene = Scene(fault_shop, merchant, lambda: merchant.act(payment, "refunds", body, key=key))
    point(scene, REFUND)
    answer = after_the_end(scene, 201).json()
    refunds = evidence.rows("SELECT id, amount FROM refunds WHERE merchant_id = %s")
    assert [(f"ref_{row['id'].hex}", row["amount"]) for row in refunds] == [
        (answer["id"], REFUNDED)
    ]
    assert merchant.payment(payment)["amount_refunded"] == REFUNDED
    check(evidence)
