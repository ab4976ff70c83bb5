"""How long calls wait for a card network: counted, and told in the line of the call.

It is the vault's own time from asking to having the answer in hand, so its own lateness in
noticing that the answer is there is part of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from prometheus_client import Histogram

from runtime.clock import Clock
from vault.networks.network import NetworkUnreached

BUCKETS_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0)

_SECONDS = Histogram(
    "paymint_network_seconds",
    "Time from asking a card network to its answer, or to giving it up",
    ["call"],
    buckets=BUCKETS_SECONDS,
)
# Every call of the private door runs in a task, and so in a context, of its own.
_MILLISECONDS: ContextVar[float | None] = ContextVar("network_ms", default=None)


@contextmanager
def network_time(call: str, clock: Clock) -> Iterator[None]:
    """Around one question to a network; `call` is its name at the private door.

    A question that could not be sent has taken a network no time.
    """
    began = clock.monotonic()
    try:
        yield
    except NetworkUnreached:
        raise
    except BaseException:
        _told(call, clock.monotonic() - began)
        raise
    _told(call, clock.monotonic() - began)


def _told(call: str, seconds: float) -> None:
    _SECONDS.labels(call).observe(seconds)
    _MILLISECONDS.set(round(seconds * 1000, 1))


def network_milliseconds() -> float | None:
    """What the present call has waited for a network; None when it has asked none."""
    return _MILLISECONDS.get()
