"""The fast duplicate check against a real Valkey that is stopped, killed and replaced."""

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

from adapters.duplicates import Duplicates
from adapters.kept_link import ANSWER_WITHIN_SECONDS
from adapters.valkey_link import LinkLost, connect
from domain.callers import Caller, Once
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
    return Caller(merchant_id, livemode, uuid4(), "sk_test_...abcd", frozenset(), "active")


async def _linked(duplicates: Duplicates) -> None:
    ends = time.monotonic() + RELINK_SECONDS
    while await duplicates.state() != "ok":
        assert time.monotonic() < ends, "no link to Valkey"
        await asyncio.sleep(0.02)


def test_a_key_is_seen_from_its_second_use_by_its_own_merchant_and_mode(servers: Servers) -> None:
    async def run() -> None:
        duplicates = Duplicates(servers.valkey.url())
        await _linked(duplicates)
        merchant, once = uuid4(), Once(uuid4(), b"")
        assert not await duplicates.seen(_caller(merchant), once)
        assert await duplicates.seen(_caller(merchant), once)
        assert not await duplicates.seen(_caller(merchant, livemode=True), once)
        assert not await duplicates.seen(_caller(uuid4()), once)
        assert not await duplicates.seen(_caller(merchant), Once(uuid4(), b""))
        await duplicates.close()

    asyncio.run(run())


def test_many_at_once_get_each_its_own_answer(servers: Servers) -> None:
    async def run() -> None:
        duplicates = Duplicates(servers.valkey.url())
        await _linked(duplicates)
        merchant = _caller(uuid4())
        keys = [Once(uuid4(), b"") for _ in range(200)]
        used = keys[::3]
        for once in used:
            await duplicates.seen(merchant, once)
        answers = await asyncio.gather(*(duplicates.seen(merchant, once) for once in keys))
        assert [once in used for once in keys] == answers
        await duplicates.close()

    asyncio.run(run())


def test_a_stopped_valkey_costs_a_bounded_time_and_then_none(servers: Servers) -> None:
    pid = servers.supervisor.process_ids()["valkey"]

    async def run() -> None:
        duplicates = Duplicates(servers.valkey.url())
        await _linked(duplicates)
        os.kill(pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            asked = (duplicates.seen(_caller(uuid4()), Once(uuid4(), b"")) for _ in range(50))
            assert not any(await asyncio.gather(*asked))
            assert time.monotonic() - began < ANSWER_WITHIN_SECONDS + SLACK_SECONDS
            began = time.monotonic()
            assert not await duplicates.seen(_caller(uuid4()), Once(uuid4(), b""))
            assert time.monotonic() - began < SLACK_SECONDS / 4
            assert await duplicates.state() == "degraded"
        finally:
            os.kill(pid, signal.SIGCONT)
        await _linked(duplicates)
        await duplicates.close()

    asyncio.run(run())


def test_a_killed_valkey_is_found_again_when_it_is_back(servers: Servers) -> None:
    async def run() -> None:
        duplicates = Duplicates(servers.valkey.url())
        await _linked(duplicates)
        merchant, once = _caller(uuid4()), Once(uuid4(), b"")
        assert not await duplicates.seen(merchant, once)
        os.kill(servers.supervisor.process_ids()["valkey"], signal.SIGKILL)
        await asyncio.sleep(0.1)
        assert not await duplicates.seen(merchant, once)
        ends = time.monotonic() + RELINK_SECONDS
        while not servers.valkey.ready():
            assert time.monotonic() < ends
            servers.supervisor.tend()
            await asyncio.sleep(0.1)
        await _linked(duplicates)
        assert not await duplicates.seen(merchant, once), "it came back empty"
        assert await duplicates.seen(merchant, once)
        await duplicates.close()

    asyncio.run(run())


def test_a_wrong_password_is_no_link(servers: Servers) -> None:
    async def run() -> None:
        with pytest.raises(LinkLost):
            await connect(f"redis://:wrong@127.0.0.1:{servers.ports.valkey}/0")

    asyncio.run(run())


def test_without_a_valkey_nothing_is_seen_and_nobody_waits() -> None:
    async def run() -> None:
        duplicates = Duplicates(None)
        once = Once(uuid4(), b"")
        assert not await duplicates.seen(_caller(uuid4()), once)
        assert not await duplicates.seen(_caller(uuid4()), once)
        assert await duplicates.state() == "degraded"
        await duplicates.close()

    asyncio.run(run())
