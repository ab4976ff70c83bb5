"""Stacks of these tests' own: one with little patience, one that serves TLS."""

from collections.abc import Iterator

import pytest

from tests.serving import STRICT, serving
from tests.shop import Shop

HEAD_SECONDS, BODY_SECONDS, STALL_SECONDS, ANSWER_SECONDS, IDLE_SECONDS = 1.0, 1.8, 1.0, 1.0, 2.0
CONNECTIONS_MAX = 40
# Longer than any client is given for one thing, and well within what the network is given.
NETWORK_MS = 2_000


@pytest.fixture(scope="package")
def impatient() -> Iterator[Shop]:
    """Doors whose limits are short enough to be waited for, before a slow card network."""
    limits = {
        "PAYMINT_HEAD_SECONDS": f"{HEAD_SECONDS}",
        "PAYMINT_BODY_SECONDS": f"{BODY_SECONDS}",
        "PAYMINT_STALL_SECONDS": f"{STALL_SECONDS}",
        "PAYMINT_ANSWER_SECONDS": f"{ANSWER_SECONDS}",
        "PAYMINT_IDLE_SECONDS": f"{IDLE_SECONDS}",
        "PAYMINT_CONNECTIONS_MAX": f"{CONNECTIONS_MAX}",
        "PAYMINT_DASHBOARD_ORIGIN": "http://localhost:5173",
    }
    yield from opened(limits, "--network-latency", str(NETWORK_MS))


@pytest.fixture(scope="package")
def secured() -> Iterator[Shop]:
    """Doors that serve https alone."""
    yield from opened({"PAYMINT_HEAD_SECONDS": f"{HEAD_SECONDS}"}, "--tls")


def opened(environment: dict[str, str], *options: str) -> Iterator[Shop]:
    with serving(STRICT, "--port", "0", *options, **environment) as running:
        shop = Shop(running)
        try:
            yield shop
        finally:
            shop.close()
