"""Fixtures: one throw-away PostgreSQL for all tests of the vault."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import Cluster
from tests.vault.house import House, house
from tests.vault.networks import Hosts, Kind, hosts, misbehave


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[House]:
    """A running vault that the tests of one file share; every test is its own merchant."""
    with house(tmp_path_factory.mktemp("vault"), cluster) as built:
        built.start()
        yield built


@pytest.fixture
def quiet(tmp_path: Path, cluster: Cluster) -> Iterator[House]:
    """A house of the test's own where no vault runs: nobody else looks at what was given up."""
    with house(tmp_path, cluster) as built:
        yield built


@pytest.fixture(scope="module")
def built_hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    with hosts(tmp_path_factory.mktemp("hosts")) as running:
        yield running


@pytest.fixture(params=["in this process", "over TCP"])
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kind]:
    if request.param == "in this process":
        (tmp_path / "simulator").mkdir()
        yield Kind(tmp_path, None)
        return
    running: Hosts = request.getfixturevalue("built_hosts")
    try:
        yield Kind(running.directory, running)
    finally:
        misbehave(running.directory)
