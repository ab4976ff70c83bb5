"""Several processes at one Valkey, one of them with a clock that is an hour off; and without it."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.limiter import Allowance, Limiter
from adapters.limiter import limiter as limiter_module
from domain.rate_limits import HOUR_MS, Rules
from runtime.clock import SystemClock
from tests.scripts.conftest import prepared_servers
from tests.skewed import Skewed

LINK_SECONDS = 20.0
# However late Valkey is on a busy machine, it is Valkey that decides.
PATIENT_SECONDS = 30.0
# So slow that one token comes in a second.
SLOW = Rules(1, 40, 1_000_000, 0)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    directory = Path(tempfile.mkdtemp(prefix="paymint-test-"))
    try:
        with prepared_servers(directory) as servers:
            servers.start_valkey()
            yield servers.valkey.url()
    finally:
        shutil.rmtree(directory)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter_module, "ANSWER_WITHIN_SECONDS", PATIENT_SECONDS)


async def linked(url: str, off_ms: int = 0) -> Limiter:
    limiter = Limiter(url, Skewed(off_ms))
    ends = time.monotonic() + LINK_SECONDS
    while not limiter.linked:
        assert time.monotonic() < ends, "no link to Valkey"
        await asyncio.sleep(0.02)
    return limiter


def allowance() -> Allowance:
    name = f"{{{uuid4().hex}}}"
    return Allowance(f"limit:{name}", f"conduct:{name}", SLOW)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("off_ms", [0, HOUR_MS, -HOUR_MS])
def test_processes_share_one_bucket_whatever_their_clocks_say(url: str, off_ms: int) -> None:
    async def run() -> tuple[int, int]:
        one, other = await linked(url), await linked(url, off_ms)
        whose, served, skew = allowance(), 0, 0
        for _ in range(40):
            for limiter in (one, other):
                decision = await limiter.decide(whose)
                served += decision.allowed
                skew = max(skew, abs(decision.now_ms - SystemClock().unix_ms()))
        await asyncio.gather(one.close(), other.close())
        return served, skew

    began = time.monotonic()
    served, skew = asyncio.run(run())
    assert 40 <= served <= 41 + time.monotonic() - began
    assert skew < HOUR_MS // 60


@pytest.mark.usefixtures("patient")
def test_at_once_no_more_is_served_than_there_is(url: str) -> None:
    async def run() -> int:
        limiters = [await linked(url) for _ in range(3)]
        whose = allowance()
        asked = [limiters[n % 3].decide(whose) for n in range(300)]
        served = sum(decision.allowed for decision in await asyncio.gather(*asked))
        await asyncio.gather(*(limiter.close() for limiter in limiters))
        return served

    began = time.monotonic()
    assert 40 <= asyncio.run(run()) <= 41 + time.monotonic() - began


@pytest.mark.parametrize(("processes", "served"), [(1, 40), (4, 10)])
def test_without_valkey_each_has_its_share(processes: int, served: int) -> None:
    async def run() -> int:
        limiter, whose = Limiter(None, SystemClock(), processes), allowance()
        decisions = [await limiter.decide(whose) for _ in range(60)]
        await limiter.close()
        return sum(decision.allowed for decision in decisions)

    assert served <= asyncio.run(run()) <= served + 2
