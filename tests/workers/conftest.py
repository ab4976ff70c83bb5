"""One throw-away PostgreSQL; every test gets a database of its own, as new."""

import secrets
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from models.migrate import migrate
from scripts.launcher.certificates import ensure_certificates
from tests.cluster import Cluster
from tests.workers.house import Place

_TEMPLATE = "migrated"


@pytest.fixture(scope="session")
def state_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates, which the door to the vault needs even where no vault answers."""
    directory = tmp_path_factory.mktemp("state")
    (directory / "tls").mkdir(mode=0o700)
    ensure_certificates(directory / "tls", datetime.now(UTC))
    return directory


@pytest.fixture(scope="session")
def template(cluster: Cluster) -> str:
    """A migrated database that nobody uses; copying it is quicker than migrating."""
    _create(cluster, f'CREATE DATABASE "{_TEMPLATE}"')
    migrate(cluster.url(_TEMPLATE))
    return _TEMPLATE


@pytest.fixture
def place(cluster: Cluster, template: str, state_directory: Path) -> Place:
    """An empty, migrated database and where its processes keep their state."""
    name = f"test_{secrets.token_hex(6)}"
    _create(cluster, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return Place(cluster.url(name), state_directory)


def _create(cluster: Cluster, statement: str) -> None:
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(statement.encode())
