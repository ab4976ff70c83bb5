"""Fixtures: one throw-away PostgreSQL for all tests of the vault."""

from collections.abc import Iterator

import pytest

from tests.cluster import Cluster
from tests.vault.house import House, house


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[House]:
    """A running vault that the tests of one file share; every test is its own merchant."""
    with house(tmp_path_factory.mktemp("vault"), cluster) as built:
        built.start()
        yield built
