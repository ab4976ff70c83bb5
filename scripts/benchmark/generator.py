"""Load from a process of its own: an open loop of Poisson arrivals, or a closed loop.

In the open loop a request has a moment at which it is meant to be sent, whatever became of
those before it, and its latency counts from that moment: where the product, or this process,
is late, the waiting is part of the figure (no coordinated omission).
"""

import asyncio
import multiprocessing
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from typing import Final, NamedTuple

import uvloop

from scripts.benchmark.connections import Answer, Connection
from scripts.benchmark.mix import Counter, Mix, Request

LEAD_SECONDS: Final = 0.2
# After the last arrival everything is answered within this, or counts as not answered.
DRAIN_SECONDS: Final = 20.0
DRAIN_LOOK_SECONDS: Final = 0.02
REFUSED, SILENT = "not connected", "no answer"
_BEGUN = "begun"


@dataclass(frozen=True)
class Load:
    """How much: `rate` arrivals a second, or with 0 as fast as `connections` allow.

    An arrival that finds `connections` of them busy waits for the next to be free.
    """

    seconds: float
    connections: int
    rate: float = 0.0


class Told(NamedTuple):
    """What became of one request; moments in seconds since the load began."""

    kind: str
    intended: float
    sent: float
    answered: float
    status: int
    request_id: str
    key: str
    payment: str
    retry_after: bool
    failure: str

    @property
    def milliseconds(self) -> float:
        """Latency, from the moment at which it was meant to be sent."""
        return (self.answered - self.intended) * 1000


@dataclass(frozen=True)
class Run:
    """All requests of a load, how long it took, and what sending it cost this process.

    `connections`: most at once.  `cpu_seconds` are of the `seconds` of the load, the waiting
    for its last answers included.
    """

    told: list[Told]
    seconds: float
    cpu_seconds: float
    connections: int


class Generator:
    """One load: keeps the connections and writes down every answer."""

    def __init__(self, counter: Counter, load: Load) -> None:
        self._counter = counter
        self._load = load
        self._mix = Mix(counter)
        self._idle: list[Connection] = []
        self._busy: dict[Request, Connection | None] = {}
        self._queue: deque[Request] = deque()
        self._opened = self._most = 0
        self._closing = False
        self._began = 0.0
        self._told: list[Told] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> Run:
        """Send everything, wait for the answers."""
        cpu = time.process_time()
        self._began = time.perf_counter() + LEAD_SECONDS
        await (self._arrivals() if self._load.rate else self._closed_loop())
        self._closing = True
        await self._drain()
        seconds = time.perf_counter() - self._began
        cpu = time.process_time() - cpu
        for request in [*self._busy, *self._queue]:
            self._write_down(request, Answer(0, "", False, b"", SILENT))
        for connection in [*self._idle, *self._busy.values()]:
            if connection is not None:
                connection.close()
        return Run(self._told, seconds, cpu, self._most)

    async def _arrivals(self) -> None:
        gaps = random.Random(self._counter.seed)  # nosec B311  # no secret
        due, ends = self._began, self._began + self._load.seconds
        while due < ends:
            now = time.perf_counter()
            while due <= now and due < ends:
                self._offer(due)
                due += gaps.expovariate(self._load.rate)
            # Even when late: answers must be read meanwhile.
            await asyncio.sleep(max(0.0, due - now))

    async def _closed_loop(self) -> None:
        for _ in range(self._load.connections):
            self._offer(time.perf_counter())
        await asyncio.sleep(LEAD_SECONDS + self._load.seconds)

    async def _drain(self) -> None:
        gives_up_at = time.perf_counter() + DRAIN_SECONDS
        while (self._busy or self._queue) and time.perf_counter() < gives_up_at:
            await asyncio.sleep(DRAIN_LOOK_SECONDS)

    def _offer(self, intended: float) -> None:
        request = self._mix.next()
        request.intended = intended
        if self._queue:
            self._queue.append(request)
            return
        while self._idle:
            connection = self._idle.pop()
            if connection.open:
                self._send(connection, request)
                return
            self._opened -= 1
        if self._opened < self._load.connections:
            self._opened += 1
            self._most = max(self._most, self._opened)
            self._busy[request] = None
            task = asyncio.get_running_loop().create_task(self._connect(request))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self._queue.append(request)

    async def _connect(self, request: Request) -> None:
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: Connection(self._answered), self._counter.host, self._counter.port
            )
        except OSError:
            self._opened -= 1
            self._busy.pop(request)
            self._write_down(request, Answer(0, "", False, b"", REFUSED))
        else:
            self._send(connection, request)

    def _send(self, connection: Connection, request: Request) -> None:
        self._busy[request] = connection
        request.sent = time.perf_counter()
        connection.ask(request)

    def _answered(self, connection: Connection, request: Request, answer: Answer) -> None:
        if self._busy.pop(request, None) is None:
            return
        self._mix.learn(request, answer.status, answer.body)
        self._write_down(request, answer)
        if not connection.open or answer.failure:
            self._opened -= 1
        else:
            self._idle.append(connection)
        if self._queue and self._idle:
            self._send(self._idle.pop(), self._queue.popleft())
        elif not self._load.rate and not self._closing:
            self._offer(time.perf_counter())

    def _write_down(self, request: Request, answer: Answer) -> None:
        began = self._began
        self._told.append(
            Told(
                request.kind,
                request.intended - began,
                (request.sent or time.perf_counter()) - began,
                time.perf_counter() - began,
                answer.status,
                answer.request_id,
                request.key,
                request.payment,
                answer.retry_after,
                answer.failure,
            )
        )


def generate(counter: Counter, load: Load, at_start: Callable[[], None] = lambda: None) -> Run:
    """Run a load in a process of its own; `at_start` is called when it begins."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_generate, args=(counter, load, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        assert ours.recv() == _BEGUN
        at_start()
        run: Run = ours.recv()
        return run
    finally:
        process.terminate()
        process.join()


def _generate(counter: Counter, load: Load, pipe: "Pipe[object, object]") -> None:
    generator = Generator(counter, load)
    pipe.send(_BEGUN)
    pipe.send(uvloop.run(generator.run()))
