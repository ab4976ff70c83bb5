"""Many waiting rows, one statement.

Rows handed in while a statement is running wait together and go out as the next one:
natural batching, no timer.  Measured (docs/performance.md): this is what makes a durable
payment cheaper than one transaction per request.

Two promises are asked of the statement: it is safe to run twice with the same rows (a
connection may break after the commit and before the answer), and a row that it refuses
harms only itself when it runs alone (rows of a failed batch are retried singly).

So it is with a row that waits for somebody's lock: the others wait for it for `LOCK_MS` at
most, and it is given up, with nothing done, when it has then waited alone for `ALONE_MS`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, Generic, TypeVar

import psycopg

from runtime.batches import ROWS_PER_STATEMENT
from runtime.database import DatabaseUnavailable, LockedOut, Row, connection_options
from runtime.prepared import PreparedStatements

LANES_PER_COALESCER = 1
PLAN_LIFE_SECONDS = 10.0
RECONNECT_PAUSE_SECONDS = 0.05
# Longer than the house itself keeps others waiting: dropping a month gives up after 500 ms,
# and transactions that take turns on one row while the disk is slow are done.
LOCK_MS = 1_000
ALONE_MS = 250
# Planning one of these statements costs more than running it (measured:
# docs/performance.md), so a plan is kept for some seconds.  A plan made while a table was
# small must not read it whole when it has grown: rows are found through indexes only.
PLAN_SETTINGS = (
    "-c plan_cache_mode=force_generic_plan"
    " -c enable_seqscan=off -c enable_bitmapscan=off -c enable_material=off"
    " -c enable_hashjoin=off -c enable_mergejoin=off"
)

Item = TypeVar("Item")
Result = TypeVar("Result")


class Lane:
    """One connection of its own, autocommit: a statement is a transaction."""

    def __init__(self, dsn: str, slot: int) -> None:
        self._dsn = dsn
        self.slot = slot
        # How long a statement may wait for one lock.
        self.lock_ms = LOCK_MS
        self._server_lock_ms = LOCK_MS
        self._statements: PreparedStatements | None = None
        self._plan_again_at = 0.0

    async def rows(self, text: bytes, parameters: dict[str, Any]) -> list[Row]:
        """Run one statement and answer its rows."""
        statements = self._statements
        if statements is None or statements.closed:
            statements = self._statements = await self._connected()
        if time.monotonic() >= self._plan_again_at:
            await statements.run(b"DISCARD PLANS")
            self._plan_again_at = time.monotonic() + PLAN_LIFE_SECONDS
        if self._server_lock_ms != self.lock_ms:
            await statements.run(_wait_for_locks(self.lock_ms))
            self._server_lock_ms = self.lock_ms
        return await statements.rows(text, parameters)

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._statements is not None:
            self._statements.close()
            self._statements = None

    async def _connected(self) -> PreparedStatements:
        settings = f"{PLAN_SETTINGS} -c lock_timeout={LOCK_MS}"
        connection: psycopg.AsyncConnection[Row] = await psycopg.AsyncConnection.connect(
            self._dsn, **connection_options(settings)
        )
        self._server_lock_ms = LOCK_MS
        return PreparedStatements(connection)


def _wait_for_locks(milliseconds: int) -> bytes:
    return b"SET lock_timeout = %d" % milliseconds


Run = Callable[[Lane, Sequence[Item]], Awaitable[Sequence[Result]]]
Batch = list[tuple[Item, asyncio.Future[Result]]]


class Coalescer(Generic[Item, Result]):
    """Gathers items of concurrent callers into statements.

    `run(lane, items)` answers one result per item, in their order.  `sort_key` gives the
    order in which a batch touches rows (the same everywhere, or batches deadlock).
    `group_key` keeps items of different groups out of one statement: one server takes
    all that waits (the default), a sharded one wants one merchant per statement.
    `gather_seconds` lets rows that nobody waits for gather before they go out.
    """

    def __init__(
        self,
        run: Run[Item, Result],
        lanes: Sequence[Lane],
        *,
        sort_key: Callable[[Item], Any],
        group_key: Callable[[Item], Hashable] | None = None,
        gather_seconds: float = 0.0,
    ) -> None:
        self._run = run
        self._idle = list(lanes)
        self._lanes = tuple(lanes)
        self._sort_key = sort_key
        self._group_key = group_key
        self._gather_seconds = gather_seconds
        self._waiting: Batch[Item, Result] = []
        self._scheduled = False
        self._running: set[asyncio.Task[None]] = set()

    def submit(self, item: Item) -> "asyncio.Future[Result]":
        """Queue one item; the future ends with its result once its batch is committed."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((item, future))
        if self._idle and not self._scheduled:
            self._scheduled = True
            if self._gather_seconds:
                loop.call_later(self._gather_seconds, self._dispatch)
            else:
                loop.call_soon(self._dispatch)
        return future

    async def close(self) -> None:
        """Finish what waits, then close the lanes."""
        while self._waiting or self._running:
            self._dispatch()
            await asyncio.wait(self._running)
        for lane in self._lanes:
            await lane.close()

    def _dispatch_waiting(self) -> None:
        if self._waiting and self._gather_seconds:
            self._scheduled = True
            asyncio.get_running_loop().call_later(self._gather_seconds, self._dispatch)
        else:
            self._dispatch()

    def _dispatch(self) -> None:
        self._scheduled = False
        while self._idle and self._waiting:
            batch = self._take()
            task = asyncio.create_task(self._flush(self._idle.pop(), batch))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def _take(self) -> Batch[Item, Result]:
        waiting = self._waiting
        if self._group_key is None:
            batch, self._waiting = waiting[:ROWS_PER_STATEMENT], waiting[ROWS_PER_STATEMENT:]
        else:
            group = self._group_key(waiting[0][0])
            batch = []
            rest: Batch[Item, Result] = []
            for entry in waiting:
                fits = len(batch) < ROWS_PER_STATEMENT and self._group_key(entry[0]) == group
                (batch if fits else rest).append(entry)
            self._waiting = rest
        batch.sort(key=lambda entry: self._sort_key(entry[0]))
        return batch

    async def _flush(self, lane: Lane, batch: Batch[Item, Result]) -> None:
        try:
            await self._attempt(lane, batch)
        finally:
            self._idle.append(lane)
            if not self._scheduled:
                self._dispatch_waiting()

    async def _attempt(self, lane: Lane, batch: Batch[Item, Result]) -> None:
        try:
            results = await self._run_again_if_cut_off(lane, [item for item, _ in batch])
        except psycopg.errors.LockNotAvailable as locked:
            if len(batch) == 1:
                _fail(batch, LockedOut(), locked)
            else:
                await self._one_by_one(lane, batch, ALONE_MS)
        except Exception as error:
            if len(batch) == 1 or isinstance(error, DatabaseUnavailable):
                _fail(batch, error)
            else:
                await self._one_by_one(lane, batch, LOCK_MS)
        else:
            for (_, future), result in zip(batch, results, strict=True):
                # A caller that went away has cancelled its future; its row is stored anyway.
                if not future.done():
                    future.set_result(result)

    async def _one_by_one(self, lane: Lane, batch: Batch[Item, Result], lock_ms: int) -> None:
        lane.lock_ms = lock_ms
        try:
            for entry in batch:
                await self._attempt(lane, [entry])
        finally:
            lane.lock_ms = LOCK_MS

    async def _run_again_if_cut_off(self, lane: Lane, items: list[Item]) -> Sequence[Result]:
        try:
            return await self._run(lane, items)
        except psycopg.errors.LockNotAvailable:
            raise
        except (psycopg.OperationalError, OSError):
            await lane.close()
            await asyncio.sleep(RECONNECT_PAUSE_SECONDS)
        try:
            return await self._run(lane, items)
        except psycopg.errors.LockNotAvailable:
            raise
        except (psycopg.OperationalError, OSError) as error:
            await lane.close()
            raise DatabaseUnavailable from error


def _fail(batch: Batch[Item, Result], error: Exception, cause: BaseException | None = None) -> None:
    error.__cause__ = cause or error.__cause__
    for _, future in batch:
        if not future.done():
            future.set_exception(error)


def lanes(dsn: str, first_slot: int, count: int = LANES_PER_COALESCER) -> list[Lane]:
    """`count` lanes to one database with consecutive counter slots."""
    return [Lane(dsn, first_slot + number) for number in range(count)]
