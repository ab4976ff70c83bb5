"""Rows that must be stored: kept in memory, in their order, until the database has them.

Rows that come together go out as one statement.  When a statement fails, its rows stay at
the head of the queue and are written again with the same statement, which has to be
idempotent: a commit whose answer was lost does no harm.  Meanwhile nobody is kept waiting;
`failing` says that what was handed in is not stored.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import islice

import psycopg
from prometheus_client import Counter, Gauge

from runtime.batches import ROWS_PER_STATEMENT
from runtime.coalescer import Lane
from runtime.log import log, log_exception

# Requests wait for their row, so it waits for company only so long.
GATHER_SECONDS = 0.001
# A statement that takes longer counts as failed: its request is answered.
PATIENCE_SECONDS = 3.0
RECONNECT_PAUSE_SECONDS = 0.05
RETRY_SECONDS = 0.25
CLOSE_SECONDS = 3.0
# At about one kilobyte a row.
KEPT_AT_MOST = 20_000

_FAILING = Gauge("paymint_audit_failing", "1 while audit entries cannot be stored.")
_KEPT = Gauge("paymint_audit_entries_kept", "Audit entries that wait to be stored again.")
_FAILURES = Counter("paymint_audit_write_failures", "Writes of audit entries that failed.")
_LOST = Counter("paymint_audit_entries_lost", "Audit entries that were never stored.")


class KeptRows:
    """One queue of rows, one connection.

    `statement` stores a batch: its parameter `rows` is a JSON array.  `on_change` hears of
    `failing` turning true and false.
    """

    def __init__(self, dsn: str, statement: bytes, kept_at_most: int = KEPT_AT_MOST) -> None:
        self._lane = Lane(dsn, 0)
        self._statement = statement
        self._kept_at_most = kept_at_most
        self._rows: deque[bytes] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._draining: asyncio.Task[None] | None = None
        self.failing = False
        self.on_change: Callable[[bool], None] | None = None

    @property
    def full(self) -> bool:
        """Whether no more rows can be kept."""
        return len(self._rows) >= self._kept_at_most

    def put(self, row: bytes) -> "asyncio.Future[None] | None":
        """Hand in one row, a JSON object; await what is answered to know it stored.

        The future ends when the row is stored, or when it turns out that it cannot be at
        present.  None: at present nothing can be stored.  A row is refused only when no more
        can be kept; it is counted as lost.
        """
        if self.full:
            _LOST.inc()
            return None
        self._rows.append(row)
        future = None
        if not self.failing:
            future = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain())
        return future

    async def close(self) -> None:
        """Store what is queued, for at most three seconds; what is left is lost and counted."""
        if self._draining is not None:
            await asyncio.wait([self._draining], timeout=CLOSE_SECONDS)
        if self._draining is not None:
            self._draining.cancel()
        if self._rows:
            _LOST.inc(len(self._rows))
            log("audit_entries_lost", count=len(self._rows))
        await self._lane.close()

    async def _drain(self) -> None:
        try:
            # What was kept goes out as fast as it can, or a busy process would keep ever more.
            stored = not self.failing
            while self._rows:
                await asyncio.sleep(GATHER_SECONDS if stored else RETRY_SECONDS)
                stored = await self._store(list(islice(self._rows, ROWS_PER_STATEMENT)))
        finally:
            self._draining = None

    async def _store(self, batch: list[bytes]) -> bool:
        """Whether these rows, the first of the queue, are stored now."""
        rows = b"[" + b",".join(batch) + b"]"
        # A statement that is given up asks the server to end it, which takes seconds more where
        # the server stands still: nobody waits for those, nor for the second connection.
        late = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._late)
        try:
            await self._written(rows.decode())
        except Exception as error:
            self._failed(error)
            return False
        finally:
            late.cancel()
        for _ in batch:
            self._rows.popleft()
            if self._waiting:
                _release(self._waiting.popleft())
        if self.failing:
            _KEPT.set(len(self._rows))
            if not self._rows:
                self._turn(failing=False)
        return True

    async def _written(self, rows: str) -> None:
        try:
            await self._run(rows)
        except psycopg.OperationalError:
            # The server may have been restarted since the last statement.
            await self._lane.close()
            await asyncio.sleep(RECONNECT_PAUSE_SECONDS)
            await self._run(rows)

    async def _run(self, rows: str) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._lane.rows(self._statement, {"rows": rows})

    def _late(self) -> None:
        if not self.failing:
            self._failed(TimeoutError())

    def _failed(self, error: Exception) -> None:
        _FAILURES.inc()
        _KEPT.set(len(self._rows))
        if not self.failing:
            log_exception("audit_write_failed", error, kept=len(self._rows))
            self._turn(failing=True)
        while self._waiting:
            _release(self._waiting.popleft())

    def _turn(self, *, failing: bool) -> None:
        self.failing = failing
        _FAILING.set(failing)
        if not failing:
            log("audit_writes_again")
        if self.on_change is not None:
            self.on_change(failing)


def _release(future: "asyncio.Future[None]") -> None:
    # A request that was given up has cancelled its future; its row is stored all the same.
    if not future.done():
        future.set_result(None)
