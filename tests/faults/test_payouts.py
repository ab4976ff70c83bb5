"""kill -9 while a day's payouts are made: everybody is paid, and nobody twice."""

from datetime import datetime, timedelta
from functools import partial

import pytest

from tests.business_clock import Frozen
from tests.faults.conftest import Kill, replaced
from tests.journeys.test_balance import walked
from tests.serving import eventually
from tests.shop import Merchant, Shop, told

DAY = timedelta(days=1)
MERCHANTS = 24
PAID_SECONDS = 60.0


@pytest.mark.parametrize("victim", ["paymint-worker", "postgres"])
def test_a_day_of_payouts_survives_the_end_of(victim: str, fault_shop: Shop, kill: Kill) -> None:
    merchants = [fault_shop.open_account() for _ in range(MERCHANTS)]
    clocks = [Frozen(merchant) for merchant in merchants]
    for merchant in merchants:
        merchant.pay()
        merchant.pay(currency="eur")
    tomorrow = [clock.time + DAY for clock in clocks]
    for number, (clock, to) in enumerate(zip(clocks, tomorrow, strict=True)):
        assert eventually(partial(advanced, clock, to), PAID_SECONDS)
        if number == MERCHANTS // 2:
            # Some are paid out by now, some on their way, and the others come to be due.
            process = fault_shop.serving.process_id(victim)
            kill(victim)
            # What a killed server's children still answer is not its successor's.
            assert eventually(replaced(fault_shop, victim, process), PAID_SECONDS)
            assert eventually(fault_shop.takes_payments, PAID_SECONDS)
    for merchant in merchants:
        assert eventually(partial(paid, merchant), PAID_SECONDS)
    for merchant in merchants:
        (payout,) = merchant.get("/v1/payouts")["data"]
        assert payout["amount"] == 9680 + 11229
        assert payout["transaction_count"] == 2
        assert len(walked(merchant, payout_id=payout["id"])) == 4
        balance = merchant.get("/v1/balance")
        assert {part["amount"] for part in balance["available"] + balance["pending"]} == {0}


def advanced(clock: Frozen, to: datetime) -> bool:
    """Whether it is as late as that; who is told that nothing was done asks again."""
    answer = clock.advance_answer(to)
    return answer.status_code != 503 and bool(told(answer, 200))


def paid(merchant: Merchant) -> bool:
    answer = merchant.ask("GET", "/v1/payouts", params={"status": "paid"})
    return answer.status_code != 503 and bool(told(answer, 200)["data"])
