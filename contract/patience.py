"""How long a client may take, and how many connections a process keeps (decision 0031).

One sweep looks at every connection of the process: a timer for each request would cost more
than everything else that is done for the client's slowness.  Moments are seconds of the
event loop's clock, as of the last sweep: a limit is kept to within one sweep.
"""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from prometheus_client import Counter

from runtime.log import log
from runtime.open_files import connections_borne

SWEEP_SECONDS_MAX = 1.0
SWEEPS_PER_LIMIT = 4
# Made free at once, so that a flood of connections is not answered by a look at all of them
# for each one that comes.
EVICTED_AT_ONCE = 64
UNLIMITED = float("inf")

_CUT = Counter("paymint_connections_cut", "Connections that we ended, by reason", ["reason"])
_CROWDED = _CUT.labels("crowded")
SLOW, UNREAD = _CUT.labels("slow"), _CUT.labels("unread")


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a client is given, and the number of connections of one process.

    `head`: from the first byte of a request, or from the accept, to the end of its head;
    the handshake of TLS has as long, before that.  `body`: from there to the end of the body;
    `stall`: without one byte of it.  `answer`: to take what was answered.  `idle`: between
    two requests.
    """

    head_seconds: float = 10.0
    body_seconds: float = 30.0
    stall_seconds: float = 10.0
    answer_seconds: float = 30.0
    idle_seconds: float = 75.0
    connections_max: int = 4096

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Patience":
        """The limits that the operator changed, the others as they are; raises ValueError."""
        known = cls()
        found = {
            name: type(getattr(known, name))(environment[f"PAYMINT_{name.upper()}"])
            for name in cls.__slots__
            if f"PAYMINT_{name.upper()}" in environment
        }
        for name, value in found.items():
            if not 0 < value < UNLIMITED:
                raise ValueError(f"PAYMINT_{name.upper()} is not a number above 0")
        return cls(**found)

    def within_open_files(self) -> "Patience":
        """With no more connections than this process may have files open."""
        borne = connections_borne(self.connections_max)
        if borne < self.connections_max:
            log("connections_limited", connections=borne, wanted=self.connections_max)
        return replace(self, connections_max=borne)

    @property
    def sweep_seconds(self) -> float:
        """How often is looked."""
        limits = (self.head_seconds, self.body_seconds, self.stall_seconds)
        shortest = min(*limits, self.answer_seconds, self.idle_seconds)
        return min(SWEEP_SECONDS_MAX, shortest / SWEEPS_PER_LIMIT)


class Watched(Protocol):
    """A connection, as the sweep sees it."""

    since: float

    def look(self, now: float) -> None:
        """End the connection when its client has used up what it is given."""

    @property
    def waits_for_client(self) -> bool:
        """Whether nothing is under way on it, so that it can be ended without a loss."""

    def end(self) -> None:
        """Close, without an answer."""


class Watch:
    """Every connection of one door, and the sweep over them."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self.now = 0.0
        self._connections: set[Watched] = set()
        self._sweeping: asyncio.TimerHandle | None = None

    def admit(self, connection: Watched) -> bool:
        """Whether there is room, made at the cost of those that have waited longest."""
        if self._sweeping is None:
            self._schedule(asyncio.get_running_loop())
        if len(self._connections) >= self.patience.connections_max and not self._make_room():
            _CROWDED.inc()
            return False
        self._connections.add(connection)
        return True

    def dismiss(self, connection: Watched) -> None:
        """The connection has ended."""
        self._connections.discard(connection)

    def _make_room(self) -> bool:
        waiting = [each for each in self._connections if each.waits_for_client]
        waiting.sort(key=lambda each: each.since)
        for connection in waiting[:EVICTED_AT_ONCE]:
            self._connections.discard(connection)
            connection.end()
            _CROWDED.inc()
        return bool(waiting)

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        self.now = loop.time()
        self._sweeping = loop.call_later(self.patience.sweep_seconds, self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        self._sweeping = None
        now = loop.time()
        for connection in tuple(self._connections):
            connection.look(now)
        # A process without connections has nothing to wake up for.
        if self._connections:
            self._schedule(loop)
