"""A stack of its own for what kills processes, so that no other test is disturbed."""

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest

from tests.books import agree, settle
from tests.faults.buyers import Buyers
from tests.faults.evidence import Evidence
from tests.serving import STRICT, eventually, serving
from tests.shop import Merchant, Shop, told

# The card of a network that never decides and never answers.
SILENT = "4000009900000012"
RESTART_SECONDS = 60.0


class Kill(Protocol):
    """Ends a child by its name, by kill -9 unless another signal is meant."""

    def __call__(self, name: str, number: signal.Signals = signal.SIGKILL) -> None: ...


@pytest.fixture(scope="package")
def fault_shop() -> Iterator[Shop]:
    """A stack whose processes may be killed; the launcher starts them again.

    Its network takes its time, so that a kill finds payments at every step of their way.
    """
    network = ("--allow-loopback-webhooks", "--network-latency", "40-120")
    # Killed for the tenth time a process is back as soon as after the first.
    options = ("--port", "0", *network, "--longest-pause", "0.4")
    with serving(STRICT, *options) as running:
        opened = Shop(running)
        try:
            yield opened
            settle(opened)
        finally:
            opened.close()


@pytest.fixture(scope="package")
def patient(fault_shop: Shop) -> Merchant:
    """A merchant whose payment was left to a silent network before everything else."""
    return fault_shop.open_account()


@pytest.fixture(scope="package", autouse=True)
def left_alone(patient: Merchant) -> dict[str, Any]:
    """That payment, answered 202; it is given up while the other tests run and kill."""
    return told(patient.pay_answer(patient.tokenise(SILENT)), 202)


@pytest.fixture(autouse=True)
def books_agree(fault_shop: Shop) -> Iterator[None]:
    """After every fault the ledger sums to zero, and the networks say the same.

    A test that failed amid its fault spoils none that comes after it.
    """
    assert eventually(fault_shop.takes_payments, RESTART_SECONDS), "not ready again"
    yield
    agree(fault_shop)


@pytest.fixture
def merchant(fault_shop: Shop) -> Merchant:
    """A merchant of this test's own, on the stack that is broken."""
    return fault_shop.open_account()


@pytest.fixture
def saved_card(merchant: Merchant) -> str:
    """A card that can be paid with again and again."""
    customer = merchant.customer()["id"]
    return str(told(merchant.save_card(customer), 201)["id"])


@pytest.fixture
def buyers(fault_shop: Shop, merchant: Merchant, saved_card: str) -> Buyers:
    return Buyers(fault_shop.base_url, merchant, saved_card)


@pytest.fixture
def evidence(fault_shop: Shop, merchant: Merchant) -> Evidence:
    return Evidence(fault_shop, merchant)


@pytest.fixture
def kill(fault_shop: Shop) -> Iterator[Kill]:
    """kill -9 of a child by its name; the test ends only when its successor serves."""
    killed: dict[str, int] = {}

    def now(name: str, number: signal.Signals = signal.SIGKILL) -> None:
        killed[name] = fault_shop.serving.process_id(name)
        os.kill(killed[name], number)

    yield now
    for name, process in killed.items():
        assert eventually(replaced(fault_shop, name, process), RESTART_SECONDS), name
    if killed:
        assert eventually(fault_shop.takes_payments, RESTART_SECONDS), "not ready again"


def replaced(shop: Shop, name: str, process: int) -> Callable[[], bool]:
    return lambda: shop.serving.process_id(name) != process
