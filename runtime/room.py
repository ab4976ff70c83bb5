"""Room for so much work at once, and no queue before it."""

from prometheus_client import Counter, Gauge

_RUNNING = Gauge("paymint_requests_in_flight", "Requests that are being worked on")
_WORKING = Gauge("paymint_requests_at_work", "Those of them that wait for nobody else")
_SHED = Counter("paymint_requests_shed", "Requests refused because too many were in flight")


class Room:
    """Counts who is in; beyond `limit` nobody enters, nor beyond `at_work` who do not wait.

    Who waits for somebody else, a card network or a client's body, costs memory and no time:
    `limit` bounds it.  Who does not wait is worked on, and `at_work` of them are the queue
    that everybody stands in.
    """

    def __init__(self, limit: int, at_work: int | None = None) -> None:
        self._limit = limit
        self._at_work = limit if at_work is None else at_work
        self._inside = 0
        # How many things each waits for: the items of a batch wait side by side.
        self._waiting: dict[str, int] = {}
        _RUNNING.set_function(lambda: self._inside)
        # A worker's calls wait without having entered.
        _WORKING.set_function(lambda: max(self._inside - len(self._waiting), 0))

    def enter(self) -> bool:
        """Whether there was room; who entered must leave."""
        inside = self._inside
        if inside >= self._limit or inside - len(self._waiting) >= self._at_work:
            _SHED.inc()
            return False
        self._inside += 1
        return True

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
