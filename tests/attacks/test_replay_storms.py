"""A storm of retries: it sends no more than was asked for, and keeps nobody else waiting."""

from tests.journeys.test_event_deliveries import deliveries
from tests.races.rush import Rush, rush, together
from tests.receiver import receiving
from tests.serving import eventually
from tests.shop import Merchant

RETRIES = 100
# The promise of threats-and-faults: others are still served within five seconds.
ARRIVAL_SECONDS = 5.0
END_SECONDS = 20.0


def test_a_storm_of_retries_is_not_amplified_and_keeps_nobody_waiting(
    merchant: Merchant, rival: Merchant
) -> None:
    with receiving(status=500) as failing, receiving() as neighbour:
        merchant.endpoint(failing.url)
        rival.endpoint(neighbour.url)
        merchant.pay()
        event = merchant.events()[0]["id"]
        failing.wait_for("payment.captured", ARRIVAL_SECONDS)

        async def storm(asking: Rush) -> list[int]:
            path = f"/v1/events/{event}/retry"
            answers = await together([asking.post(path) for _ in range(RETRIES)])
            return [answer.status for answer in answers]

        assert set(rush(merchant, storm)) == {200}
        rival.pay()
        neighbour.wait_for("payment.captured", ARRIVAL_SECONDS)
        (delivery,) = deliveries(merchant, event)

        def is_over() -> bool:
            made = deliveries(merchant, event)[0]["attempts_made"]
            return bool(made == len(failing.deliveries) > 1)

        assert delivery["attempts_made"] <= 1 + RETRIES
        assert eventually(is_over, END_SECONDS)
        assert len(failing.deliveries) <= 1 + RETRIES
        assert len(deliveries(merchant, event)) == 1
