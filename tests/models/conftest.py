"""A throw-away PostgreSQL with both houses' databases, made by their migrations."""

import pytest

from models.migrate import migrate as migrate_main
from tests.cluster import Cluster
from vault.migrate import migrate as migrate_vault


@pytest.fixture(scope="package")
def main_database(cluster: Cluster) -> str:
    """The main house's database, as its migrations make it."""
    url = cluster.database()
    migrate_main(url)
    return url


@pytest.fixture(scope="package")
def vault_database(cluster: Cluster) -> str:
    """The vault's database, as its migrations make it."""
    url = cluster.database()
    migrate_vault(url)
    return url


@pytest.fixture(scope="package")
def ledger_database(cluster: Cluster) -> str:
    """Another one of the main house, for histories of payments that stay in it."""
    url = cluster.database()
    migrate_main(url)
    return url
