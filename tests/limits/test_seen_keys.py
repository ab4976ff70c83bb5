"""The hint that a key was seen, from a real Valkey that is stopped, killed and replaced."""

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from adapters.limiter import Limiter
from adapters.limiter.limiter import ANSWER_WITHIN_SECONDS
from adapters.valkey_link import LinkLost, connect
from domain.allowances import mark_of, of_caller
from domain.callers import Caller
from domain.rate_limits import Rules
from runtime.clock import SystemClock
from tests.scripts.conftest import Servers, prepared_servers

# A loop that is busy elsewhere may notice a late answer this much later.
SLACK_SECONDS = 0.4
RELINK_SECONDS = 5.0


@pytest.fixture
def servers() -> Iterator[Servers]:
    # Not under pytest's own directory, which an account without rights cannot enter.
    directory = Path(tempfile.mkdtemp(prefix="paymint-test-"))
    try:
        with prepared_servers(directory) as made:
            made.start_valkey()
            yield made
    finally:
        shutil.rmtree(directory)


def _caller(merchant_id: UUID, livemode: bool = False) -> Caller:
    return Caller(
        merchant_id,
        livemode,
        uuid4(),
        "sk_test_...abcd",
        frozenset(),
        "active",
        rate_limit_multiplier=100,
    )


async def _seen(limiter: Limiter, caller: Caller, key: UUID) -> bool:
    admitted = await limiter.admit(of_caller(caller), 1, mark_of(caller, key))
    assert admitted.decision.allowed
    return admitted.seen_before


async def _linked(limiter: Limiter) -> None:
    ends = time.monotonic() + RELINK_SECONDS
    while await limiter.state() != "ok":
        assert time.monotonic() < ends, "no link to Valkey"
        await asyncio.sleep(0.02)


def test_a_key_is_seen_from_its_second_use_by_its_own_merchant_and_mode(servers: Servers) -> None:
    async def run() -> None:
        limiter = Limiter(servers.valkey.url(), SystemClock())
        await _linked(limiter)
        merchant, key = uuid4(), uuid4()
        assert not await _seen(limiter, _caller(merchant), key)
        assert await _seen(limiter, _caller(merchant), key)
        assert not await _seen(limiter, _caller(merchant, livemode=True), key)
        assert not await _seen(limiter, _caller(uuid4()), key)
        assert not await _seen(limiter, _caller(merchant), uuid4())
        await limiter.close()

    asyncio.run(run())


def test_who_is_refused_leaves_no_mark(servers: Servers) -> None:
    """Else a client that goes on above its limit would fill Valkey with its keys."""

    async def run() -> None:
        limiter = Limiter(servers.valkey.url(), SystemClock())
        await _linked(limiter)
        caller, key = _caller(uuid4()), uuid4()
        mark = mark_of(caller, key)
        whose = of_caller(caller)
        none_left = whose._replace(bucket=f"{whose.bucket}:none", rules=Rules(1, 1, 1, 0))
        assert (await limiter.decide(none_left)).allowed
        refused = await limiter.admit(none_left, 1, mark)
        assert not refused.decision.allowed and not refused.seen_before
        assert not await _seen(limiter, caller, key)
        assert await _seen(limiter, caller, key)
        await limiter.close()

    asyncio.run(run())


def test_many_at_once_get_each_its_own_answer(servers: Servers) -> None:
    async def run() -> None:
        limiter = Limiter(servers.valkey.url(), SystemClock())
        await _linked(limiter)
        merchant = _caller(uuid4())
        keys = [uuid4() for _ in range(200)]
        used = keys[::3]
        for key in used:
            await _seen(limiter, merchant, key)
        answers = await asyncio.gather(*(_seen(limiter, merchant, key) for key in keys))
        assert [key in used for key in keys] == answers
        await limiter.close()

    asyncio.run(run())


def test_a_stopped_valkey_costs_a_bounded_time_and_then_none(servers: Servers) -> None:
    pid = servers.supervisor.process_ids()["valkey"]

    async def run() -> None:
        limiter = Limiter(servers.valkey.url(), SystemClock())
        await _linked(limiter)
        os.kill(pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            asked = (_seen(limiter, _caller(uuid4()), uuid4()) for _ in range(50))
            assert not any(await asyncio.gather(*asked))
            assert time.monotonic() - began < ANSWER_WITHIN_SECONDS + SLACK_SECONDS
            began = time.monotonic()
            assert not await _seen(limiter, _caller(uuid4()), uuid4())
            assert time.monotonic() - began < SLACK_SECONDS / 4
            assert await limiter.state() == "degraded"
        finally:
            os.kill(pid, signal.SIGCONT)
        await _linked(limiter)
        await limiter.close()

    asyncio.run(run())


def test_a_killed_valkey_is_found_again_when_it_is_back(servers: Servers) -> None:
    async def run() -> None:
        limiter = Limiter(servers.valkey.url(), SystemClock())
        await _linked(limiter)
        merchant, key = _caller(uuid4()), uuid4()
        assert not await _seen(limiter, merchant, key)
        os.kill(servers.supervisor.process_ids()["valkey"], signal.SIGKILL)
        await asyncio.sleep(0.1)
        assert not await _seen(limiter, merchant, key)
        ends = time.monotonic() + RELINK_SECONDS
        while not servers.valkey.ready():
            assert time.monotonic() < ends
            servers.supervisor.tend()
            await asyncio.sleep(0.1)
        await _linked(limiter)
        assert not await _seen(limiter, merchant, key), "it came back empty"
        assert await _seen(limiter, merchant, key)
        await limiter.close()

    asyncio.run(run())


def test_a_wrong_password_is_no_link(servers: Servers) -> None:
    async def run() -> None:
        with pytest.raises(LinkLost):
            await connect(f"redis://:wrong@127.0.0.1:{servers.ports.valkey}/0")

    asyncio.run(run())


def test_without_a_valkey_nothing_is_seen_and_nobody_waits() -> None:
    async def run() -> None:
        limiter = Limiter(None, SystemClock())
        key = uuid4()
        assert not await _seen(limiter, _caller(uuid4()), key)
        assert not await _seen(limiter, _caller(uuid4()), key)
        assert await limiter.state() == "degraded"
        await limiter.close()

    asyncio.run(run())
