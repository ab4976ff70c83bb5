"""kill -9 while payments stand at every step of their way to a slow network.

test_orders.py kills every part in turn beside an instant network; here the
network takes 40 to 120 ms, so most of what runs is between its two commits when the end comes.
"""

import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.faults.buyers import Buyers
from tests.faults.conftest import Kill
from tests.faults.evidence import Evidence
from tests.receiver import Receiver
from tests.serving import eventually
from tests.shop import Merchant, Shop, told

DELIVERED_SECONDS = 45.0
EVENTS = 60
# Approves, and then its answer is lost: a worker has to ask.
APPROVES_THEN_SILENT = "4000009900000020"
UNCERTAIN = 12
RECOVERED_SECONDS = 60.0
# What a dead worker had in hand would be free after 15 s; the tests have no such patience.
# What was leased within the last 3 s is in the hands of one who lives.
_DELIVERIES_RUN_OUT = b"""UPDATE webhook_deliveries
    SET next_attempt_at = now(), leased_until = NULL
    WHERE state = 'pending' AND coalesce(leased_until < now() + interval '12 seconds', true)"""
_PAYMENTS_RUN_OUT = b"UPDATE payments SET resume_at = now() WHERE resume_at > now()"
_STATES = "SELECT state, attempts FROM webhook_deliveries WHERE merchant_id = %s"


# To PostgreSQL SIGQUIT means: stop at once, without a checkpoint.
ENDS = [
    ("postgres", signal.SIGKILL),
    ("postgres", signal.SIGQUIT),
    ("paymint-vault", signal.SIGKILL),
]


@pytest.mark.parametrize(("victim", "number"), ENDS)
def test_payments_survive_the_end_of(
    victim: str, number: signal.Signals, buyers: Buyers, kill: Kill, evidence: Evidence
) -> None:
    purchases = buyers.run(lambda: kill(victim, number))
    evidence.check(purchases)
    assert any(each.broken for each in purchases), "nobody noticed: the kill proved nothing"


def test_payments_and_their_webhooks_survive_the_end_of_the_api(
    merchant: Merchant, buyers: Buyers, kill: Kill, evidence: Evidence, receiver: Receiver
) -> None:
    merchant.endpoint(receiver.url)
    purchases = buyers.run(lambda: kill("paymint-api"))
    evidence.check(purchases)
    assert any(each.broken for each in purchases), "nobody noticed: the kill proved nothing"
    expected = {
        ("pay_" + row["id"].hex, row["status"], row["event_sequence"])
        for row in evidence.payments()
    }

    def delivered() -> set[tuple[str, str, int]]:
        events = [each.event for each in list(receiver.deliveries)]
        return {
            (event["data"]["object"]["id"], event["data"]["object"]["status"], event["sequence"])
            for event in events
        }

    eventually(lambda: delivered() >= expected, DELIVERED_SECONDS)
    assert expected - delivered() == set()


def test_deliveries_survive_the_end_of_the_worker(
    fault_shop: Shop,
    merchant: Merchant,
    saved_card: str,
    kill: Kill,
    evidence: Evidence,
    receiver: Receiver,
) -> None:
    merchant.endpoint(receiver.url, enabled_events=["payment.captured"])
    with ThreadPoolExecutor(8) as hands:
        paying = [hands.submit(merchant.pay, saved_card) for _ in range(EVENTS)]
        assert eventually(lambda: receiver.deliveries, DELIVERED_SECONDS)
        kill("paymint-worker")
        payments = {each.result()["id"] for each in paying}
    assert len(payments) == EVENTS

    def delivered() -> bool:
        with fault_shop.owned_database() as connection:
            connection.execute(_DELIVERIES_RUN_OUT)
        states = Counter(row["state"] for row in evidence.rows(_STATES))
        return states == {"succeeded": EVENTS}

    assert eventually(delivered, DELIVERED_SECONDS), evidence.rows(_STATES)
    came = Counter(each.headers["webhook-id"] for each in receiver.deliveries)
    objects = {each.event["data"]["object"]["id"] for each in receiver.deliveries}
    # What the dead worker had sent and not recorded comes again, under the same id.
    assert objects == payments and len(came) == EVENTS
    evidence.every_transition_has_its_event()


@pytest.mark.parametrize("victim", ["paymint-worker", "paymint-vault"])
def test_recovery_survives_the_end_of(
    victim: str, fault_shop: Shop, merchant: Merchant, kill: Kill, evidence: Evidence
) -> None:
    customer = merchant.customer()["id"]
    card = told(merchant.save_card(customer, APPROVES_THEN_SILENT), 201)["id"]
    with ThreadPoolExecutor(UNCERTAIN) as hands:
        answers = list(hands.map(lambda _: merchant.pay_answer(card), range(UNCERTAIN)))
    assert {answer.status_code for answer in answers} <= {201, 202}
    queued = [answer.json()["id"] for answer in answers if answer.status_code == 202]
    assert queued, "every answer came: there is nothing to recover"
    due(fault_shop)
    kill(victim)

    def recovered() -> bool:
        due(fault_shop)
        return all(each["status"] == "captured" for each in shown(merchant, queued))

    assert eventually(recovered, RECOVERED_SECONDS), shown(merchant, queued)
    for payment in queued:
        assert fault_shop.decisions(payment) == [("sale", "approved")]
    evidence.nothing_stays_unfinished()
    evidence.network_agrees()
    evidence.counters_are_exact()
    evidence.every_transition_has_its_event()


def due(shop: Shop) -> None:
    """What was left is due now, and no lease keeps anybody from it."""
    with shop.owned_database() as connection:
        connection.execute(_PAYMENTS_RUN_OUT)


def shown(merchant: Merchant, payments: list[str]) -> list[dict[str, Any]]:
    return [merchant.payment(payment) for payment in payments]
