"""A stack whose card networks are servers, for what breaks them; else as in tests/faults."""

from collections.abc import Callable, Iterator

import pytest

from tests.books import settle
from tests.faults.conftest import books_agree, buyers, evidence, kill, merchant, saved_card
from tests.serving import STRICT, serving
from tests.shop import Shop
from tests.vault.networks import misbehave
from vault.networks.outages import Outage

__all__ = ["books_agree", "buyers", "evidence", "kill", "merchant", "saved_card"]

Misbehave = Callable[..., None]


@pytest.fixture(scope="package")
def fault_shop() -> Iterator[Shop]:
    """Its networks take their time, so that a fault finds payments at every step of their way."""
    options = ("--port", "0", "--networks", "iso8583", "--network-latency", "40-120")
    with serving(STRICT, *options) as running:
        opened = Shop(running)
        try:
            yield opened
            settle(opened)
        finally:
            opened.close()


@pytest.fixture
def outage(fault_shop: Shop) -> Iterator[Misbehave]:
    """Have whole networks misbehave; all are well again at the end."""
    directory = fault_shop.serving.directory

    def now(**networks: Outage) -> None:
        misbehave(directory, **networks)

    yield now
    now()
