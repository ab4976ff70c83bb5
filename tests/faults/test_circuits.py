"""A card network goes silent for many: its circuit opens, payments wait, and end once.

The fault cards have a network of their own, and what they do is published: one approves and
goes silent, one approves and answers.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from domain.ids import from_text, to_text
from tests.faults.evidence import Evidence
from tests.faults.test_networks import GIVEN_UP_SECONDS, ended, history
from tests.serving import eventually
from tests.shop import Merchant, Shop, told
from vault.networks.breaker import OPENS_FROM_CALLS

APPROVES_THEN_SILENT = "4000009900000020"
APPROVES = "4000009900000061"
FAULTNET = "faultnet"
WAITING = 50
ROUNDS = 4
# A silent network is given up after 3 s; a refusal costs no round trip to it.
GIVES_UP_SECONDS = 3.0
AT_ONCE_SECONDS = 2.5
RESTED_SECONDS = 5.5
# The next probe comes within seconds, and a sandbox payment waits for 30 s at most.
RESUMED_SECONDS = 28.0
CLOSED, HALF_OPEN, OPEN = 0.0, 1.0, 2.0


@pytest.fixture
def crowd() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(WAITING) as threads:
        yield threads


class Network:
    """What may be seen of the fault cards' network from outside."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        port = shop.environment["paymint-vault"]["PAYMINT_METRICS_PORT"]
        self._metrics = f"http://127.0.0.1:{port}/metrics"

    def state(self) -> float:
        """The breaker's state as the vault's metrics tell it."""
        wanted = f'paymint_network_breaker_state{{network="{FAULTNET}"}} '
        lines = httpx.get(self._metrics).text.splitlines()
        return next((float(line.split()[1]) for line in lines if line.startswith(wanted)), CLOSED)

    def ready(self) -> tuple[str, str]:
        """Whether the API is ready, and what it says of the networks."""
        body = told(self._shop.http.get("/readyz"), 200)
        return body["status"], body["checks"]["card_network_gateway"]

    def heard_of(self, payments: set[str]) -> list[str]:
        """Which of these payments the network was asked for, in its own order."""
        wanted = {from_text("pay", payment): payment for payment in payments}
        named = {identifier.hex: name for identifier, name in wanted.items() if identifier}
        return [named[line["payment"]] for line in self._shop.journal() if line["payment"] in named]


@pytest.fixture
def network(fault_shop: Shop, patient: Merchant, left_alone: dict[str, Any]) -> Network:
    """With nobody else on it: the payment that was left to it is over, its circuit closed."""
    ended(patient, left_alone["id"], GIVEN_UP_SECONDS)
    found = Network(fault_shop)
    assert found.state() == CLOSED
    return found


def tokens_of(crowd: ThreadPoolExecutor, merchant: Merchant, number: str, count: int) -> list[str]:
    return list(crowd.map(merchant.tokenise, [number] * count))


def pay_all(
    crowd: ThreadPoolExecutor, merchant: Merchant, tokens: list[str]
) -> Callable[[], list[dict[str, Any]]]:
    """Starts a payment with each at once; the answers, which must all be 202, when asked."""
    asked = [crowd.submit(merchant.pay_answer, token) for token in tokens]
    return lambda: [told(each.result(), 202) for each in asked]


def open_the_circuit(
    crowd: ThreadPoolExecutor, merchant: Merchant, network: Network
) -> list[dict[str, Any]]:
    """So many meet silence that the circuit opens; their payments.

    One round is enough, unless others were answered within the same ten seconds.
    """
    silenced: list[dict[str, Any]] = []
    for _ in range(ROUNDS):
        tokens = tokens_of(crowd, merchant, APPROVES_THEN_SILENT, OPENS_FROM_CALLS)
        silenced += pay_all(crowd, merchant, tokens)()
        if network.state() == OPEN:
            return silenced
    raise AssertionError("the circuit stays closed")


@contextmanager
def others_pay(merchant: Merchant) -> Iterator[None]:
    """Meanwhile a customer with an ordinary card notices nothing."""
    over, waits = threading.Event(), list[float]()

    def keep_paying() -> None:
        while not over.wait(0.2):
            token = merchant.tokenise()
            began = time.monotonic()
            merchant.pay(token)
            waits.append(time.monotonic() - began)

    with ThreadPoolExecutor(1) as thread:
        paying = thread.submit(keep_paying)
        try:
            yield
        finally:
            over.set()
        paying.result()
    # A busy machine holds up one or another; a network that is waited for held up many.
    late = [wait for wait in waits if wait >= AT_ONCE_SECONDS]
    assert waits and len(late) <= len(waits) / 10, waits


def is_approved_once(shop: Shop, payment: str, *follow_ups: str) -> None:
    decided = shop.decisions(payment)
    approval, *others = decided
    assert approval in (("sale", "approved"), ("authorise", "approved")), decided
    assert others == [(kind, "approved") for kind in follow_ups], decided


def test_payments_wait_for_a_network_and_one_of_them_tries_it(
    fault_shop: Shop,
    merchant: Merchant,
    network: Network,
    evidence: Evidence,
    crowd: ThreadPoolExecutor,
) -> None:
    with others_pay(fault_shop.open_account()):
        probes = tokens_of(crowd, merchant, APPROVES_THEN_SILENT, 1)
        others = tokens_of(crowd, merchant, APPROVES, WAITING - 1)
        silenced = open_the_circuit(crowd, merchant, network)
        assert network.ready() == ("ready", "degraded")
        time.sleep(RESTED_SECONDS)
        assert network.state() == HALF_OPEN
        probing = pay_all(crowd, merchant, probes)
        assert eventually(lambda: len(pending(merchant)) > 0, AT_ONCE_SECONDS)
        began = time.monotonic()
        queued = pay_all(crowd, merchant, others)()
        asked_within = time.monotonic() - began
        waiting = {payment["id"] for payment in queued}
        assert network.heard_of(waiting) == []
        [probe] = probing()
        assert network.heard_of({probe["id"]}) == [probe["id"]]
        assert asked_within < GIVES_UP_SECONDS
        everybody = [*silenced, probe, *queued]
        eventually(lambda: not pending(merchant), RESUMED_SECONDS)
        assert eventually(lambda: network.ready() == ("ready", "ok"), GIVES_UP_SECONDS)
    told_of = histories(evidence)
    for payment in everybody:
        is_approved_once(fault_shop, payment["id"])
        assert payment["pending_reason"] == "network_unavailable"
        assert told_of[payment["id"]] == ["payment.queued", "payment.captured"]
    assert Counter(row["status"] for row in evidence.payments()) == {"captured": len(everybody)}
    evidence.network_agrees()
    evidence.counters_are_exact()
    evidence.every_transition_has_its_event()


def histories(evidence: Evidence) -> dict[str, list[str]]:
    """The types of each payment's events, in their order."""
    found: dict[str, list[str]] = {}
    for row in evidence.rows(
        "SELECT object_id, type FROM events WHERE merchant_id = %s ORDER BY object_id, sequence"
    ):
        found.setdefault(to_text("pay", row["object_id"]), []).append(row["type"])
    return found


def pending(merchant: Merchant) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = merchant.get("/v1/payments", status="pending")["data"]
    return found


def test_what_is_begun_while_a_network_is_away_is_done_when_it_is_back(
    fault_shop: Shop,
    merchant: Merchant,
    network: Network,
    evidence: Evidence,
    crowd: ThreadPoolExecutor,
) -> None:
    def approved(capture: bool) -> str:
        return str(merchant.pay(merchant.tokenise(APPROVES), capture=capture)["id"])

    to_capture, to_cancel, to_refund = approved(False), approved(False), approved(True)
    open_the_circuit(crowd, merchant, network)
    assert told(merchant.act(to_capture, "capture"), 202)["status"] == "authorized"
    assert told(merchant.act(to_cancel, "cancel"), 202)["status"] == "authorized"
    refund = merchant.refund(to_refund)["id"]
    [stopped] = pay_all(crowd, merchant, tokens_of(crowd, merchant, APPROVES, 1))()
    assert told(merchant.act(stopped["id"], "cancel"), 200)["status"] == "cancelled"
    assert network.heard_of({to_capture, to_cancel, to_refund}) == [
        to_capture,
        to_cancel,
        to_refund,
    ]
    evidence.nothing_stays_unfinished()
    path = f"/v1/payments/{to_refund}/refunds/{refund}"
    assert eventually(lambda: merchant.get(path)["status"] == "succeeded", RESUMED_SECONDS)
    assert merchant.payment(to_capture)["status"] == "captured"
    assert merchant.payment(to_cancel)["status"] == "cancelled"
    is_approved_once(fault_shop, to_capture, "capture")
    is_approved_once(fault_shop, to_cancel, "reverse")
    is_approved_once(fault_shop, to_refund, "refund")
    assert fault_shop.decisions(stopped["id"]) == []
    assert history(merchant, stopped["id"]) == ["payment.queued", "payment.cancelled"]
    evidence.network_agrees()
    evidence.counters_are_exact()
