"""Payments through hosts that are spoken to in ISO 8583 and fail in every way that is known."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.books import settle
from tests.faults.buyers import Buyers
from tests.faults.conftest import Kill
from tests.faults.evidence import Evidence
from tests.hosts.conftest import Misbehave
from tests.journeys.test_disputes import answer, disputed
from tests.journeys.test_disputes import ended as decided
from tests.serving import eventually
from tests.shop import Merchant, Shop, told
from tests.shop_holds import CEILING, GIVEN_BACK_WITHIN_SECONDS, Wallet, journal_of, presented
from vault.networks.behaviours import Fault
from vault.networks.outages import Outage

# The sandbox's deadline of an authorisation is 30 s; a round of recovery follows it.
ENDS_SECONDS = 80.0
REVERSED_SECONDS = 60.0
FRAUDULENT = "4000000000000259"
FAULT_CARDS = {
    "4000009900000012": "failed",
    "4000009900000020": "captured",
    "4000009900000038": "captured",
    "4000009900000046": "captured",
    "4000009900000053": "captured",
    "4000009900000061": "captured",
    "4000009900000079": "captured",
    "4000009900000087": "captured",
    "4000009900000095": "failed",
    "4000009900000103": "captured",
}


def test_every_fault_card_ends_as_it_must_and_is_charged_once(
    fault_shop: Shop, merchant: Merchant, evidence: Evidence
) -> None:
    with ThreadPoolExecutor(len(FAULT_CARDS)) as threads:
        ends = dict(
            zip(
                FAULT_CARDS,
                threads.map(lambda each: paid(merchant, each), FAULT_CARDS),
                strict=True,
            )
        )
    assert {number: payment["status"] for number, payment in ends.items()} == FAULT_CARDS
    for number, payment in ends.items():
        approvals = fault_shop.decisions(payment["id"]).count(("sale", "approved"))
        assert approvals == int(payment["status"] == "captured"), number
        assert payment["network"] in ("visa", None)
    evidence.nothing_stays_unfinished()
    evidence.network_agrees()
    evidence.counters_are_exact()


def paid(merchant: Merchant, number: str) -> dict[str, Any]:
    """A sale with this card, once it has ended."""
    answered = merchant.pay_answer(merchant.tokenise(number))
    assert answered.status_code in (201, 202), answered.text
    payment = answered.json()["id"]
    eventually(lambda: merchant.payment(payment)["status"] != "pending", ENDS_SECONDS)
    return merchant.payment(payment)


@pytest.mark.parametrize(
    "wrong",
    [
        Outage(fault=Fault.SILENT_BEFORE),
        Outage(fault=Fault.SILENT_AFTER),
        Outage(fault=Fault.RESET),
        Outage(fault=Fault.OTHER_AMOUNT),
        Outage(fault=Fault.FLAPS),
        Outage(delay_seconds=5),
        Outage(refuses=True),
    ],
    ids=["drops", "answers nothing", "resets", "other amount", "flaps", "5 s late", "refuses"],
)
def test_a_rush_survives_a_network_that(
    fault_shop: Shop, wrong: Outage, outage: Misbehave, buyers: Buyers, evidence: Evidence
) -> None:
    asked_before = inquiries(fault_shop)
    purchases = buyers.run(lambda: outage(visa=wrong))
    outage()
    evidence.check(purchases)
    queued = [each for each in purchases if each.final[0] == 202]
    # What the inquiry finds at once is not even queued.
    assert queued or inquiries(fault_shop) > asked_before, "the outage proved nothing"


def inquiries(shop: Shop) -> float:
    """How often the vault was asked what became of something."""
    port = shop.serving.state("ports")["vault_metrics"]
    lines = httpx.get(f"http://127.0.0.1:{port}/metrics").text.splitlines()
    counted = [
        line for line in lines if line.startswith('paymint_relay_calls_total{call="resolve"')
    ]
    return sum(float(line.rpartition(" ")[2]) for line in counted)


@pytest.mark.parametrize(
    "victims",
    [("paymint-network",), ("paymint-vault",), ("paymint-network", "paymint-vault")],
    ids=["networks", "vault", "both"],
)
def test_a_rush_survives_the_end_of(
    victims: tuple[str, ...], buyers: Buyers, kill: Kill, evidence: Evidence
) -> None:
    def end() -> None:
        for victim in victims:
            kill(victim)

    purchases = buyers.run(end)
    evidence.check(purchases)
    noticed = [each for each in purchases if each.broken or each.final[0] == 202]
    assert noticed, "nobody noticed: the kill proved nothing"


def test_a_reversal_reaches_its_network_over_the_death_of_both(
    fault_shop: Shop, merchant: Merchant, outage: Misbehave, kill: Kill, evidence: Evidence
) -> None:
    payment = merchant.pay(capture=False)["id"]
    outage(visa=Outage(fault=Fault.SILENT_AFTER))
    # 202: the network reversed it, and nobody heard.
    assert merchant.act(payment, "cancel").status_code in (200, 202)
    kill("paymint-vault")
    kill("paymint-network")
    outage()
    eventually(lambda: merchant.payment(payment)["status"] == "cancelled", REVERSED_SECONDS)
    assert merchant.payment(payment)["status"] == "cancelled"
    wanted = [("authorise", "approved"), ("reverse", "approved")]
    assert fault_shop.decisions(payment) == wanted
    evidence.network_agrees()


def test_disputes_come_and_go_over_the_same_connection(merchant: Merchant) -> None:
    payment = merchant.pay(merchant.tokenise(FRAUDULENT))["id"]
    dispute = disputed(merchant, payment)
    assert (dispute["status"], dispute["reason"]) == ("needs_response", "fraudulent")
    told(answer(merchant, dispute["id"], "winning_evidence " + "ü" * 9000), 200)
    assert decided(merchant, dispute["id"])["status"] == "won"


def test_a_hold_is_drawn_on_and_given_back(fault_shop: Shop, merchant: Merchant) -> None:
    wallet = Wallet(merchant)
    hold = wallet.hold()["id"]
    first, second = (wallet.draw(hold, amount)["id"] for amount in (6_000, 3_000))
    told(wallet.top_up_answer(hold, 5_000), 200)
    assert wallet.release(hold)["amount_drawn"] == 9_000
    for payment in (first, second):
        presented(fault_shop, payment)
    refund = merchant.refund(first, amount=2_500)
    path = f"/v1/payments/{first}/refunds/{refund['id']}"
    eventually(lambda: merchant.get(path)["status"] == "succeeded", ENDS_SECONDS)
    assert merchant.payment(first)["amount_refunded"] == 2_500
    eventually(lambda: len(journal_of(fault_shop, hold)) == 5, GIVEN_BACK_WITHIN_SECONDS)
    settle(fault_shop)
    assert sorted(journal_of(fault_shop, hold)) == [
        ("authorise", "approved", 5_000),
        ("authorise", "approved", CEILING),
        ("draw", "approved", 3_000),
        ("draw", "approved", 6_000),
        ("reverse", "approved", CEILING + 5_000 - 9_000),
    ]
