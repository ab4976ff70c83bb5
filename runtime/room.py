"""Room for so much work at once, and no queue before it."""

from prometheus_client import Counter, Gauge

_RUNNING = Gauge("paymint_requests_in_flight", "Requests that are being worked on")
_SHED = Counter("paymint_requests_shed", "Requests refused because too many were in flight")


class Room:
    """Counts who is in; beyond `limit` nobody enters."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._inside = 0
        _RUNNING.set_function(lambda: self._inside)

    def enter(self) -> bool:
        """Whether there was room; who entered must leave."""
        if self._inside >= self._limit:
            _SHED.inc()
            return False
        self._inside += 1
        return True

    def leave(self) -> None:
        """Make room for another."""
        self._inside -= 1
