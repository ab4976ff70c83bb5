"""kill -9 while payments stand at every step of their way to a slow network.

test_orders.py kills every part in turn beside an instant network; here the
network takes 40 to 120 ms, so most of what runs is between its two commits when the end comes.
"""

import pytest

from tests.faults.buyers import Buyers
from tests.faults.conftest import Kill
from tests.faults.evidence import Evidence
from tests.receiver import Receiver
from tests.serving import eventually
from tests.shop import Merchant

DELIVERED_SECONDS = 15.0


@pytest.mark.parametrize("victim", ["postgres", "paymint-vault"])
def test_payments_survive_the_end_of(
    victim: str, buyers: Buyers, kill: Kill, evidence: Evidence
) -> None:
    purchases = buyers.run(lambda: kill(victim))
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
