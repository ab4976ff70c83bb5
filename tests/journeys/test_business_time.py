"""What follows a frozen business clock, and what never does."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

from domain.ids import from_text
from tests.business_clock import MOMENT, WEEK, Frozen, ahead, text
from tests.journeys.signatures import verify_paymint, verify_standard
from tests.receiver import Delivery, Receiver, receiving
from tests.serving import eventually
from tests.shop import Merchant, Shop, error, told

# A worker looks every half second at the least, and asks the network; the machine is shared.
SOON_SECONDS = 30.0
# Long enough for a worker to have looked several times.
NOT_YET_SECONDS = 1.5
REFUND_SECONDS = 30.0
LEFT_SECONDS = 3
HANDS = 8
DELAYS = (timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=24))
_ATTEMPTS = b"SELECT 1 FROM webhook_attempts WHERE merchant_id = %s"
_FAULTY, _GOOD = 500, 200


def stays_away(look: Callable[[], object]) -> bool:
    """Nothing is to be seen while a worker looks several times."""
    return not eventually(look, NOT_YET_SECONDS)


def more_than(count: int, came: Sequence[Delivery]) -> bool:
    return len(came) > count


def written(shop: Shop, merchant: Merchant) -> int:
    """How many attempts are written down, as they are a moment after their last byte."""
    with shop.database() as connection:
        return connection.execute(_ATTEMPTS, [from_text("mch", merchant.id)]).rowcount


def recorded(shop: Shop, merchant: Merchant, attempts: int) -> bool:
    return eventually(lambda: written(shop, merchant) == attempts, SOON_SECONDS)


def test_retries_follow_the_clock(shop: Shop, merchant: Merchant) -> None:
    with receiving(_FAULTY) as receiver:
        secret = str(merchant.endpoint(receiver.url)["secret"])
        clock = Frozen(merchant)
        merchant.pay()
        came = receiver.deliveries
        for number, delay in enumerate(DELAYS, start=1):
            assert recorded(shop, merchant, number)
            clock.advance(delay - MOMENT)
            assert stays_away(partial(more_than, number, came))
            clock.advance(MOMENT)
            receiver.wait_for("payment.captured", SOON_SECONDS, count=number + 1)
        assert recorded(shop, merchant, 1 + len(DELAYS))
        clock.advance(timedelta(days=30))
        assert stays_away(lambda: len(came) > 1 + len(DELAYS))
        for delivery in came:
            # Signatures tell the wall clock's time, whatever the business clock says.
            verify_paymint(delivery, secret)
            verify_standard(delivery, secret)
            assert abs(int(delivery.headers["webhook-timestamp"]) - time.time()) < 60


def test_a_clock_behind_the_wall_clock_holds_retries_and_nothing_else(
    shop: Shop, merchant: Merchant
) -> None:
    """The wall clock passes a frozen clock; events, refunds and replays do not wait for it."""
    clock = Frozen(merchant, ahead(timedelta(seconds=2)))
    time.sleep(2.1)
    with receiving(_FAULTY) as receiver:
        merchant.endpoint(receiver.url, enabled_events=["payment.captured", "refund.succeeded"])
        payment = merchant.pay()["id"]
        receiver.wait_for("payment.captured", SOON_SECONDS)
        assert recorded(shop, merchant, 1)
        event = merchant.events()[0]["id"]
        told(merchant.ask("POST", f"/v1/events/{event}/retry"), 200)
        receiver.wait_for("payment.captured", SOON_SECONDS, count=2)
        assert recorded(shop, merchant, 2)
        merchant.refund(payment)
        receiver.wait_for("refund.succeeded", REFUND_SECONDS)
        assert clock.time < ahead(timedelta(0))


def test_refunds_settle_under_a_frozen_clock(merchant: Merchant, receiver: Receiver) -> None:
    merchant.endpoint(receiver.url, enabled_events=["refund.succeeded"])
    Frozen(merchant, ahead(WEEK))
    for card in ("4242424242424242", "4000000000007726"):
        merchant.refund(merchant.pay(merchant.tokenise(card))["id"])
    receiver.wait_for("refund.succeeded", REFUND_SECONDS, count=2)


def test_an_authorisation_expires_after_seven_days(
    shop: Shop, merchant: Merchant, rival: Merchant, receiver: Receiver
) -> None:
    merchant.endpoint(receiver.url, enabled_events=["payment.cancelled"])
    clock, others = Frozen(merchant), rival.pay(capture=False)["id"]
    held = merchant.pay(capture=False)["id"]
    captured = merchant.pay(capture=False)["id"]
    told(merchant.act(captured, "capture", {"amount": 5000}), 200)
    clock.advance(WEEK - MOMENT)
    assert stays_away(lambda: merchant.payment(held)["status"] != "authorized")
    clock.advance(MOMENT)
    (delivery,) = receiver.wait_for("payment.cancelled", SOON_SECONDS)
    shown = merchant.payment(held)
    assert delivery.event["data"]["object"] == shown
    assert (shown["status"], shown["amount_capturable"]) == ("cancelled", 0)
    assert (shown["failure_code"], delivery.event["sequence"]) == (None, 2)
    assert shop.decisions(held) == [("authorise", "approved"), ("reverse", "approved")]
    assert shop.decisions(captured) == [("authorise", "approved"), ("capture", "approved")]
    assert merchant.payment(captured)["status"] == "captured"
    assert rival.payment(others)["status"] == "authorized"
    assert error(merchant.act(held, "capture"))[:2] == (422, "payment_unexpected_state")
    assert merchant.get("/v1/payments", status="cancelled")["total_count"] == 1
    assert receiver.types() == ["payment.cancelled"]


def test_a_capture_that_races_the_expiry(shop: Shop, merchant: Merchant) -> None:
    clock = Frozen(merchant)
    held = [merchant.pay(capture=False)["id"] for _ in range(HANDS)]
    with ThreadPoolExecutor(HANDS) as hands:
        moving = hands.submit(clock.advance, WEEK)
        answers = list(hands.map(lambda each: merchant.act(each, "capture"), held))
        moving.result()
    for payment, answer in zip(held, answers, strict=True):
        assert eventually(partial(is_over, merchant, payment), SOON_SECONDS)
        took = merchant.payment(payment)["status"] == "captured"
        assert (answer.status_code == 200) == took
        done = "capture" if took else "reverse"
        assert shop.decisions(payment) == [("authorise", "approved"), (done, "approved")]


def is_over(merchant: Merchant, payment: str) -> bool:
    return merchant.payment(payment)["status"] in ("captured", "cancelled")


def test_what_was_there_before_the_clock_follows_it_too(shop: Shop, merchant: Merchant) -> None:
    held = merchant.pay(capture=False)["id"]
    with receiving(_FAULTY) as receiver:
        merchant.endpoint(receiver.url, enabled_events=["payment.captured"])
        merchant.pay()
        assert recorded(shop, merchant, 1)
        receiver.status = _GOOD
        clock = Frozen(merchant, ahead(timedelta(minutes=6)))
        receiver.wait_for("payment.captured", SOON_SECONDS, count=2)
        assert merchant.payment(held)["status"] == "authorized"
        clock.advance(WEEK)
        assert eventually(lambda: merchant.payment(held)["status"] == "cancelled", SOON_SECONDS)


def test_a_deleted_clock_leaves_what_waits_the_time_it_had_left(
    shop: Shop, merchant: Merchant
) -> None:
    with receiving(_FAULTY) as receiver:
        merchant.endpoint(receiver.url, enabled_events=["payment.captured"])
        clock = Frozen(merchant, ahead(WEEK))
        held = merchant.pay(capture=False)["id"]
        merchant.pay()
        assert recorded(shop, merchant, 1)
        clock.advance(timedelta(minutes=5) - timedelta(seconds=LEFT_SECONDS))
        before = time.time()
        clock.delete()
        receiver.wait_for("payment.captured", SOON_SECONDS, count=2)
        assert receiver.deliveries[1].at - before >= LEFT_SECONDS
        (left,) = waiting_seconds(shop, merchant)
        assert abs(left - (WEEK - timedelta(minutes=5)).total_seconds()) < 60
        assert merchant.payment(held)["status"] == "authorized"


def waiting_seconds(shop: Shop, merchant: Merchant) -> list[float]:
    """How long the merchant's authorisations still have."""
    with shop.database() as connection:
        rows = connection.execute(
            "SELECT extract(epoch FROM expires_at - now())::float FROM payments"
            " WHERE merchant_id = %s AND expires_at IS NOT NULL",
            [from_text("mch", merchant.id)],
        ).fetchall()
    return [row[0] for row in rows]


def test_authentication_and_keys_keep_the_wall_clock(merchant: Merchant) -> None:
    """Years ahead, keys and tokens still hold, and an idempotency key still replays."""
    token, key = merchant.tokenise(), "0192f0e0-0000-7000-8000-000000000001"
    clock = Frozen(merchant, ahead(WEEK))
    paid = told(merchant.pay_answer(token, key=key), 201)
    clock.advance(timedelta(days=4 * 365))
    again = merchant.pay_answer(token, key=key)
    assert told(again, 201) == paid and again.headers["idempotent-replayed"] == "true"
    assert paid["created_at"] < text(ahead())
    assert merchant.pay(merchant.tokenise())["created_at"] < text(ahead())


def test_advances_at_once_leave_the_clock_at_the_latest(merchant: Merchant) -> None:
    clock = Frozen(merchant)
    start = clock.time
    spans = [timedelta(hours=hours) for hours in range(1, HANDS + 1)]
    with ThreadPoolExecutor(HANDS) as hands:
        answers = list(hands.map(lambda span: clock.advance_answer(start + span), spans))
    assert {answer.status_code for answer in answers} <= {200, 422}
    assert answers[-1].status_code == 200
    assert clock.time == start + spans[-1]
    with ThreadPoolExecutor(HANDS) as hands:
        same = list(hands.map(lambda _: clock.advance_answer(start + WEEK), spans))
    assert sorted(answer.status_code for answer in same) == [200] + [422] * (HANDS - 1)


def test_a_clock_that_is_advanced_while_an_attempt_is_under_way(
    shop: Shop, merchant: Merchant
) -> None:
    """The next attempt waits from where the clock stood when the failure was written."""
    with receiving(_FAULTY) as receiver:
        merchant.endpoint(receiver.url, enabled_events=["payment.captured"])
        clock = Frozen(merchant)
        with ThreadPoolExecutor(HANDS) as hands:
            paying = [hands.submit(merchant.pay) for _ in range(HANDS)]
            for _ in range(HANDS):
                clock.advance(timedelta(minutes=5))
            for each in paying:
                each.result()
        clock.advance(timedelta(minutes=5))
        assert eventually(lambda: len(came(receiver)) == HANDS, SOON_SECONDS)
        look = partial(written, shop, merchant)
        assert eventually(lambda: look() == len(receiver.deliveries), SOON_SECONDS)
        clock.advance(timedelta(minutes=5))
        assert eventually(lambda: min(came(receiver).values()) >= 2, SOON_SECONDS)
        # The third attempt is half an hour away from the second, the fourth two hours more.
        assert max(came(receiver).values()) <= 3


def came(receiver: Receiver) -> Counter[str]:
    """How often each event came."""
    return Counter(delivery.headers["webhook-id"] for delivery in list(receiver.deliveries))
