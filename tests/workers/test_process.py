"""The process itself: it starts, delivers, stops when told, and may be killed."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import uvloop

from domain.delivery_rooms import MOST_PER_ENDPOINT
from tests.workers.house import NO_VAULT_PORT, Bench, Place, bench, until
from tests.workers.receiver import Receiver, answers, hangs, receiver
from workers.deliveries import FINISH_SECONDS

ROOT = Path(__file__).parent.parent.parent
READY_SECONDS = 60.0
EVENTS = 100
# What the killed worker had leased is free after 15 s.
TAKEN_OVER_SECONDS = 60.0
# What is left of a lease of 15 s when a worker has waited for its receiver in vain.
LEASE_LEFT_SECONDS = 15.0 - FINISH_SECONDS


@contextmanager
def process(place: Place, output: Path, number: int = 1) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker process that is ready, with this process number."""
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
                "PAYMINT_PROCESS_NUMBER": str(number),
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
            await built.event()
            await until(lambda: shop.received)
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


def test_what_it_cannot_end_in_time_is_given_back_at_once(place: Place, tmp_path: Path) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        shop.behaviours["/hook"] = hangs
        await built.endpoint(shop.url())
        with process(place, tmp_path / "first.log") as worker:
            await built.event()
            await until(lambda: shop.received)
            told = time.monotonic()
            worker.send_signal(signal.SIGTERM)
            await until(lambda: worker.poll() is not None)
            assert worker.returncode == 0, (tmp_path / "first.log").read_text()
            assert time.monotonic() - told > FINISH_SECONDS, "it waited for the receiver"
        assert b'"leases_given_back"' in (tmp_path / "first.log").read_bytes()
        assert not await built.attempts(), "an attempt that was cut off says nothing"
        del shop.behaviours["/hook"]
        async with built.delivering():
            await until(lambda: _succeeded(built), seconds=LEASE_LEFT_SECONDS / 2)
        assert len(shop.received) == 2

    _played(place, scenario)


def test_of_three_workers_one_may_be_killed(place: Place, tmp_path: Path) -> None:
    async def scenario(built: Bench, shop: Receiver) -> None:
        shop.behaviours = {f"/{name}": answers(200, after_seconds=0.05) for name in range(4)}
        for name in range(4):
            await built.endpoint(shop.url(f"/{name}"))
        logs = [tmp_path / f"worker-{number}.log" for number in (1, 2, 3)]
        with (
            process(place, logs[0], 1),
            process(place, logs[1], 2) as killed,
            process(place, logs[2], 3),
        ):
            for _ in range(EVENTS):
                await built.event()
            await until(lambda: len(shop.received) > EVENTS)
            killed.kill()
            killed.wait()
            await until(lambda: _all_succeeded(built, 4 * EVENTS), seconds=TAKEN_OVER_SECONDS)
        told = Counter((one.path, one.event["id"]) for one in shop.received)
        assert len(told) == 4 * EVENTS, "nothing is lost"
        again = [one for one, times in told.items() if times > 1]
        assert len(again) <= 4 * MOST_PER_ENDPOINT, "no more than the killed one had in hand"
        assert max(told.values()) <= 2
        attempts = Counter((row["event_id"], row["endpoint_id"]) for row in await built.attempts())
        assert set(attempts.values()) == {1}, "and each is recorded once"
        assert all(b'"webhook_attempt"' in log.read_bytes() for log in logs), "all three worked"

    _played(place, scenario)


async def _all_succeeded(built: Bench, count: int) -> bool:
    rows = await built.rows("SELECT state, count(*) FROM webhook_deliveries GROUP BY state")
    return [(row["state"], row["count"]) for row in rows] == [("succeeded", count)]


async def _succeeded(built: Bench) -> bool:
    return [row["state"] for row in await built.deliveries()] == ["succeeded"]


def _played(place: Place, scenario: Callable[[Bench, Receiver], Awaitable[None]]) -> None:
    async def run() -> None:
        async with bench(place) as built, receiver() as shop:
            await scenario(built, shop)

    uvloop.run(run())
