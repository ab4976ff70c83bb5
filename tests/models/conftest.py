"""A throw-away PostgreSQL with both houses' databases, made by their migrations."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.migrate import migrate as migrate_main
from tests.vault.cluster import Cluster
from vault.migrate import migrate as migrate_vault


@pytest.fixture(scope="package")
def server() -> Iterator[Cluster]:
    directory = Path(tempfile.mkdtemp(prefix="paymint-models-tests-"))
    directory.chmod(0o755)
    running = Cluster(directory)
    yield running
    running.stop()
    shutil.rmtree(directory)


@pytest.fixture(scope="package")
def main_database(server: Cluster) -> str:
    """The main house's database, as its migrations make it."""
    url = server.database()
    migrate_main(url)
    return url


@pytest.fixture(scope="package")
def vault_database(server: Cluster) -> str:
    """The vault's database, as its migrations make it."""
    url = server.database()
    migrate_vault(url)
    return url
