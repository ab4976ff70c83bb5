"""The process itself: it starts, delivers, stops when told, and may be killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import uvloop

from tests.workers.house import NO_VAULT_PORT, Bench, Place, bench, until
from tests.workers.receiver import Receiver, answers, hangs, receiver

ROOT = Path(__file__).parent.parent.parent
READY_SECONDS = 15.0


@contextmanager
def process(place: Place, output: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker process that is ready."""
    with output.open("wb") as lines:
        worker = subprocess.Popen(
            [sys.executable, str(ROOT / "scripts" / "paymint-worker")],
            stdout=lines,
            stderr=lines,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "DATABASE_URL": place.database_url,
                "PAYMINT_STATE_DIR": str(place.state_directory),
                "PAYMINT_RELAY_PORT": str(NO_VAULT_PORT),
                "PAYMINT_ALLOW_LOOPBACK_WEBHOOKS": "1",
            },
        )
    try:
        ends = time.monotonic() + READY_SECONDS
        while b'"worker_ready"' not in output.read_bytes():
            assert worker.poll() is None and time.monotonic() < ends, output.read_text()
            time.sleep(0.02)
        yield worker
    finally:
        worker.kill()
        worker.wait()


def test_it_delivers_and_ends_what_it_began_when_told_to_stop(place: Place, tmp_path: Path) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        shop.behaviours["/hook"] = answers(200, after_seconds=0.5)
        await built.endpoint(shop.url())
        with process(place, tmp_path / "worker.log") as worker:
            begun = time.monotonic()
            await built.event()
            await until(lambda: shop.received)
            assert shop.received[0].came_at - begun < 1.0
            worker.send_signal(signal.SIGTERM)
            await until(lambda: worker.poll() is not None)
            assert worker.returncode == 0, (tmp_path / "worker.log").read_text()
        assert [row["state"] for row in await built.deliveries()] == ["succeeded"]

    _played(place, scenario)


def test_what_a_killed_worker_held_is_taken_over(place: Place, tmp_path: Path) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        shop.behaviours["/hook"] = hangs
        await built.endpoint(shop.url())
        with process(place, tmp_path / "worker.log") as worker:
            await built.event()
            await until(lambda: shop.received)
            worker.kill()
            worker.wait()
        del shop.behaviours["/hook"]
        built.clock.advance(timedelta(seconds=30))
        async with built.delivering():
            await until(lambda: len(shop.received) == 2)
            await until(lambda: _succeeded(built))
        assert [row["attempt"] for row in await built.attempts()] == [1]

    _played(place, scenario)


async def _succeeded(built: Bench) -> bool:
    return [row["state"] for row in await built.deliveries()] == ["succeeded"]


def _played(place: Place, scenario: Callable[[Bench, Receiver], Awaitable[None]]) -> None:
    async def run() -> None:
        async with bench(place) as built, receiver() as shop:
            await scenario(built, shop)

    uvloop.run(run())
