"""One throw-away PostgreSQL for the plumbing's tests."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vault.cluster import Cluster


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    directory = Path(tempfile.mkdtemp(prefix="paymint-runtime-tests-"))
    directory.chmod(0o755)
    running = Cluster(directory)
    yield running.database()
    running.stop()
    shutil.rmtree(directory)
