"""How long calls wait for a card network: counted, and told in the line of the call.

It is the vault's own time from asking to having the answer in hand, so its own lateness in
noticing that the answer is there is part of it.
"""

from contextvars import ContextVar
from functools import cache
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
# A look-up by labels costs more than what it finds: calls are few, and found once.
_seconds_of = cache(_SECONDS.labels)
# Every call of the private door runs in a task, and so in a context, of its own.
_MILLISECONDS: ContextVar[float | None] = ContextVar("network_ms", default=None)


class NetworkTime:
    """Around one question to a network; `call` is its name at the private door.

    A question that could not be sent has taken a network no time.
    """

    __slots__ = ("_began", "_call", "_clock")

    def __init__(self, call: str, clock: Clock) -> None:
        self._call = call
        self._clock = clock

    def __enter__(self) -> None:
        self._began = self._clock.monotonic()

    def __exit__(self, kind: type[BaseException] | None, *raised: object) -> None:
        if kind is None or not issubclass(kind, NetworkUnreached):
            seconds = self._clock.monotonic() - self._began
            _seconds_of(self._call).observe(seconds)
            _MILLISECONDS.set(round(seconds * 1000, 1))


def network_milliseconds() -> float | None:
    """What the present call has waited for a network; None when it has asked none."""
    return _MILLISECONDS.get()
