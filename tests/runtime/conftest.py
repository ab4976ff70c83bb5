"""A database of these tests' own."""

import pytest

from tests.cluster import Cluster


@pytest.fixture(scope="session")
def database_url(cluster: Cluster) -> str:
    return cluster.database()
