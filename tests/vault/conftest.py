"""Fixtures: one throw-away PostgreSQL for all tests of the vault."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vault.cluster import Cluster
from tests.vault.house import House, house


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    # Not under pytest's own directory, which an account without rights cannot enter.
    directory = Path(tempfile.mkdtemp(prefix="paymint-vault-tests-"))
    directory.chmod(0o755)
    running = Cluster(directory)
    yield running
    running.stop()
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[House]:
    """A running vault that the tests of one file share; every test is its own merchant."""
    with house(tmp_path_factory.mktemp("vault"), cluster) as built:
        built.start()
        yield built
