"""Hearing what other processes announce, and knowing when something may have been missed."""

import asyncio
from dataclasses import dataclass, field

import psycopg
import pytest

from runtime.listening import Listener
from tests.cluster import Cluster, free_port

CHANNEL = "things"
PATIENCE_SECONDS = 10.0
LOOK_SECONDS = 0.02


@dataclass
class Ear:
    """What was heard, and how often something may have been missed."""

    heard: list[str] = field(default_factory=list)
    deaf: int = 0

    def lost(self) -> None:
        self.deaf += 1

    async def until(self, heard: int = 0, deaf: int = 0) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.heard) < heard or self.deaf < deaf:
                await asyncio.sleep(LOOK_SECONDS)


@pytest.fixture(scope="module")
def url(cluster: Cluster) -> str:
    return cluster.database()


def run(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def announce(url: str, text: str) -> None:
    run(url, f"SELECT pg_notify('{CHANNEL}', '{text}')")


def test_what_is_committed_is_heard_and_what_is_not_is_not(url: str) -> None:
    async def listen() -> list[str]:
        ear = Ear()
        listener = Listener(url, CHANNEL, ear.heard.append, ear.lost)
        listener.start()
        await listener.listening()
        with psycopg.connect(url) as connection:
            connection.execute(f"SELECT pg_notify('{CHANNEL}', 'never')".encode())
            connection.rollback()
        announce(url, "first")
        announce(url, "second")
        await ear.until(heard=2)
        await listener.close()
        return ear.heard

    assert asyncio.run(listen()) == ["first", "second"]


def test_a_lost_connection_is_made_again_and_tells_that_something_may_be_missed(url: str) -> None:
    async def listen() -> tuple[list[str], int]:
        ear = Ear()
        listener = Listener(url, CHANNEL, ear.heard.append, ear.lost)
        listener.start()
        await ear.until(deaf=1)
        run(
            url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query LIKE 'LISTEN%' AND datname = current_database()",
        )
        announce(url, "missed")
        await ear.until(deaf=2)
        announce(url, "heard")
        await ear.until(heard=1)
        await listener.close()
        return ear.heard, ear.deaf

    heard, deaf = asyncio.run(listen())
    assert heard[-1] == "heard"
    assert deaf == 2


def test_a_server_that_is_not_there_is_waited_for_and_left_alone_at_the_end() -> None:
    async def listen() -> int:
        ear = Ear()
        nobody = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
        listener = Listener(nobody, CHANNEL, ear.heard.append, ear.lost)
        listener.start()
        await asyncio.sleep(0.3)
        await listener.close()
        return ear.deaf

    assert asyncio.run(listen()) == 0
