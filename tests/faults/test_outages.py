"""A whole network misbehaves while money is under way: all of it ends, and once.

Captures, cancellations and refunds whose calls or answers were lost are made again until they
are answered, also when the process that asked for them is gone.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx
import pytest

from tests.faults.conftest import Kill
from tests.faults.evidence import Evidence
from tests.serving import eventually
from tests.shop import Merchant, Shop
from tests.vault.networks import misbehave
from vault.networks.behaviours import Fault
from vault.networks.outages import Outage

AT_ONCE = 8
PAYMENTS = 4
# A call is given up after 3 s; by then the first repetitions have met the fault, too.
LASTS_SECONDS = 4.0
KILLED_AFTER_SECONDS = 1.0
REFUNDED_SECONDS = 60.0
OUTAGES = {
    "refuses": Outage(refuses=True),
    "late": Outage(delay_seconds=5.0),
    **{
        fault.value: Outage(fault=fault)
        for fault in (Fault.SILENT_BEFORE, Fault.SILENT_AFTER, Fault.RESET, Fault.SYSTEM_ERROR)
    },
}
# Answered 200 or 201 where the network happened to be well again, or an inquiry knew.
ACCEPTED = (200, 201, 202)


class Outing:
    """One merchant's business while the network is away, and what became of it."""

    def __init__(self, shop: Shop, merchant: Merchant) -> None:
        self._shop = shop
        self._merchant = merchant
        self.to_capture, self.to_cancel = (merchant.pay(capture=False)["id"] for _ in range(2))
        self.to_refund = merchant.pay()["id"]
        self._tokens = [merchant.tokenise() for _ in range(PAYMENTS)]
        self._made: list[str] = []

    def go_through(self, outage: str, meanwhile: Callable[[], object]) -> None:
        """All requests at once while the network is away; none is refused."""
        misbehave(self._shop.serving.directory, visa=OUTAGES[outage])
        with ThreadPoolExecutor(AT_ONCE) as crowd:
            asked = [crowd.submit(request) for request in self._requests()]
            began = time.monotonic()
            meanwhile()
            answers = [each.result() for each in asked]
        for answer in answers:
            assert answer.status_code in ACCEPTED, answer.text
        self._made = [answer.json()["id"] for answer in answers[-PAYMENTS:]]
        time.sleep(max(0.0, began + LASTS_SECONDS - time.monotonic()))
        self.mend()

    def mend(self) -> None:
        misbehave(self._shop.serving.directory)

    def ended_well(self) -> None:
        """Each was done once, and the merchant is told so."""
        wanted = {
            self.to_capture: ("captured", [("authorise", "approved"), ("capture", "approved")]),
            self.to_cancel: ("cancelled", [("authorise", "approved"), ("reverse", "approved")]),
            self.to_refund: ("refunded", [("sale", "approved"), ("refund", "approved")]),
            **dict.fromkeys(self._made, ("captured", [("sale", "approved")])),
        }
        assert len(wanted) == 3 + PAYMENTS
        for payment, (status, decisions) in wanted.items():
            eventually(partial(self._is, payment, status), REFUNDED_SECONDS)
            assert self._merchant.payment(payment)["status"] == status
            assert self._shop.decisions(payment) == decisions

    def _requests(self) -> list[Callable[[], httpx.Response]]:
        merchant = self._merchant
        return [
            partial(merchant.act, self.to_capture, "capture"),
            partial(merchant.act, self.to_cancel, "cancel"),
            partial(merchant.act, self.to_refund, "refunds", {}),
            *(partial(merchant.pay_answer, token) for token in self._tokens),
        ]

    def _is(self, payment: str, status: str) -> bool:
        return bool(self._merchant.payment(payment)["status"] == status)


@pytest.fixture
def outing(fault_shop: Shop, merchant: Merchant) -> Iterator[Outing]:
    begun = Outing(fault_shop, merchant)
    yield begun
    begun.mend()


def all_agree(evidence: Evidence) -> None:
    evidence.network_agrees()
    evidence.counters_are_exact()
    evidence.every_transition_has_its_event()


@pytest.mark.parametrize("outage", OUTAGES)
def test_all_ends_once_when_a_network_was(outage: str, outing: Outing, evidence: Evidence) -> None:
    outing.go_through(outage, lambda: None)
    evidence.nothing_stays_unfinished()
    outing.ended_well()
    all_agree(evidence)


@pytest.mark.parametrize("outage", ["silent_before", "silent_after"])
@pytest.mark.parametrize("victim", ["paymint-vault", "paymint-worker"])
def test_all_ends_once_when_the_process_that_asked_is_gone_too(
    victim: str, outage: str, outing: Outing, evidence: Evidence, kill: Kill
) -> None:
    def killed() -> None:
        time.sleep(KILLED_AFTER_SECONDS)
        kill(victim)

    outing.go_through(outage, killed)
    evidence.nothing_stays_unfinished()
    outing.ended_well()
    all_agree(evidence)
