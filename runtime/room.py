"""Room for so much work at once, and no queue before it."""

import math
import time
from collections.abc import Callable
from typing import Final

from prometheus_client import Counter, Gauge

_RUNNING = Gauge("paymint_requests_in_flight", "Requests that are being worked on")
_WORKING = Gauge("paymint_requests_at_work", "Those of them that wait for nobody else")
_SHED = Counter("paymint_requests_shed", "Requests refused because too many were in flight")

# A queue that is gone within this is no overload: something stood still for a moment.
JAM_SECONDS: Final = 0.5
# As many times `at_work` may come together in a jam.
JAM_TIMES: Final = 3
# Between two jams there was room for twice as many, and so much time: an overload has neither.
CALM_PART: Final = 2
JAMS_APART_SECONDS: Final = 5.0


class Room:
    """Counts who is in; beyond `limit` nobody enters, nor beyond `at_work` who do not wait.

    Who waits for somebody else, a card network or a client's body, costs memory and no time:
    `limit` bounds it.  Who does not wait is worked on, and `at_work` of them are the queue
    that everybody stands in.  What came while the process stood still may be three times as
    many for a moment: it would be refused with room for it half a second later.
    """

    def __init__(
        self,
        limit: int,
        at_work: int | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit
        self._at_work = limit if at_work is None else at_work
        self._monotonic = monotonic
        self._jam_began = -math.inf
        self._calm = True
        self._inside = 0
        # How many things each waits for: the items of a batch wait side by side.
        self._waiting: dict[str, int] = {}
        _RUNNING.set_function(lambda: self._inside)
        # A worker's calls wait without having entered.
        _WORKING.set_function(lambda: max(self._inside - len(self._waiting), 0))

    def enter(self) -> bool:
        """Whether there was room; who entered must leave."""
        working = self._inside - len(self._waiting)
        if self._inside >= self._limit or (working >= self._at_work and not self._jam(working)):
            _SHED.inc()
            return False
        if working * CALM_PART <= self._at_work:
            self._calm = True
        self._inside += 1
        return True

    def _jam(self, working: int) -> bool:
        """Whether more are at work for a moment only; an overload lasts."""
        now = self._monotonic()
        if self._calm and now >= self._jam_began + JAMS_APART_SECONDS:
            self._jam_began = now
            self._calm = False
        return now < self._jam_began + JAM_SECONDS and working < self._at_work * JAM_TIMES

    def leave(self) -> None:
        """Make room for another."""
        self._inside -= 1

    def waiting(self, request_id: str) -> "Waiting":
        """While a request that has entered waits for somebody else."""
        return Waiting(self._waiting, request_id)


class Waiting:
    """One wait of a request: a class, since a generator's context costs five times as much."""

    __slots__ = ("_request_id", "_waiting")

    def __init__(self, waiting: dict[str, int], request_id: str) -> None:
        self._waiting = waiting
        self._request_id = request_id

    def __enter__(self) -> None:
        self._waiting[self._request_id] = self._waiting.get(self._request_id, 0) + 1

    def __exit__(self, *raised: object) -> None:
        left = self._waiting.pop(self._request_id) - 1
        if left:
            self._waiting[self._request_id] = left
