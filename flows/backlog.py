"""Showing the operator how much work waits, and how long it has: docs/workers.md."""

from math import nan

from prometheus_client import Gauge

from flows.house import House
from models.backlog import read_backlogs

_DUE = Gauge("paymint_backlog", "Work that is due and not done, counted to 10000", ["work"])
_OLDEST = Gauge("paymint_oldest_due_seconds", "How long the oldest due work has waited", ["work"])


class Backlogs:
    """Measures what is due; every worker shows the same."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._shown: set[str] = set()

    async def turn(self) -> int:
        """Measure once; 0, so that the pause is kept.  What cannot be measured shows NaN."""
        now = self._house.clock.now()
        try:
            async with self._house.database.reading() as transaction:
                backlogs = await read_backlogs(transaction, now)
        except Exception:
            for work in self._shown:
                _DUE.labels(work).set(nan)
                _OLDEST.labels(work).set(nan)
            raise
        for work, due, oldest in backlogs:
            waited = 0.0 if oldest is None else (now - oldest).total_seconds()
            _DUE.labels(work).set(due)
            _OLDEST.labels(work).set(max(waited, 0.0))
            self._shown.add(work)
        return 0
