"""Showing the operator how much work waits, and how long it has: docs/workers.md."""

from flows.house import House
from models.backlog import read_backlogs
from runtime.shared_metrics import hide_backlog, show_backlog


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
                hide_backlog(work)
            raise
        for work, due, oldest in backlogs:
            show_backlog(work, due, oldest, now)
            self._shown.add(work)
        return 0
