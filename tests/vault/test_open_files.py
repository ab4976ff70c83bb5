"""More connections than the system allows open files to begin with: nobody is locked out."""

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from runtime.open_files import KEPT_FOR_OURSELVES, connections_borne
from tests.cluster import Cluster
from tests.vault.house import house
from tests.vault.merchant import card
from tests.vault.test_token_door import opened

ALLOWED_AT_FIRST = 200
CONNECTIONS = 300


@contextmanager
def allowed(files: int) -> Iterator[int]:
    """So many open files for this process and those that it starts; the hard limit is given."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    try:
        yield hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_token_is_made_beside_more_connections_than_files_were_allowed(
    tmp_path: Path, cluster: Cluster
) -> None:
    with house(tmp_path, cluster) as built, ExitStack() as held:
        with allowed(ALLOWED_AT_FIRST):
            built.start()
        door = opened(built, "pk_test_crowded", livemode=False)
        for _ in range(CONNECTIONS):
            address = ("127.0.0.1", built.token_port)
            held.enter_context(socket.create_connection(address, timeout=5))
        assert door.ask(card()).status == 201


@pytest.mark.parametrize("wanted", [10, 5000])
def test_the_limit_is_raised_as_far_as_it_is_needed(wanted: int) -> None:
    with allowed(ALLOWED_AT_FIRST) as hard:
        assert connections_borne(wanted) == min(wanted, hard - KEPT_FOR_OURSELVES)
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert soft == min(wanted + KEPT_FOR_OURSELVES, hard)


def test_what_may_not_be_had_is_not_promised() -> None:
    with allowed(ALLOWED_AT_FIRST) as hard:
        assert connections_borne(hard) == hard - KEPT_FOR_OURSELVES
