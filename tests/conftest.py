"""What the tests share: the real product, and a throw-away PostgreSQL, each started once."""

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.books import agree
from tests.cluster import Cluster
from tests.receiver import Receiver, receiving
from tests.serving import STRICT, serving
from tests.shop import Merchant, Shop

pytest_plugins = ("tests.side_by_side",)
# What is imported while tests are collected stays: walking it took a fifth of that time.
gc.disable()


def pytest_collection_finish() -> None:
    """From here on there is something to collect."""
    gc.collect()
    gc.freeze()
    gc.enable()


def settings() -> dict[str, str]:
    """What a stack that is started now would be told by the environment."""
    return {name: value for name, value in os.environ.items() if name.startswith("PAYMINT_")}


@pytest.fixture(scope="session")
def settings_at_first() -> dict[str, str]:
    return settings()


@pytest.fixture(autouse=True)
def settings_are_as_at_first(settings_at_first: dict[str, str]) -> None:
    """No test before this one, and nothing that outlives it, has left a setting behind."""
    assert settings() == settings_at_first


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    """A whole stack, its answers held to the document.

    At the end, after whatever all tests have done, its books must agree and it must stop
    cleanly.
    """
    with serving(STRICT, "--port", "0", "--allow-loopback-webhooks") as running:
        opened = Shop(running)
        try:
            yield opened
            agree(opened)
        finally:
            opened.close()


@pytest.fixture
def merchant(shop: Shop) -> Merchant:
    """A merchant of this test's own."""
    return shop.open_account()


@pytest.fixture
def rival(shop: Shop) -> Merchant:
    """Another merchant, to whom nothing of the first may be shown."""
    return shop.open_account()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A webhook receiver that answers 200."""
    with receiving() as made:
        yield made


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL for tests of parts; each makes databases of its own in it."""
    # Not under pytest's own directory, which an account without rights cannot enter.
    directory = Path(tempfile.mkdtemp(prefix="paymint-tests-"))
    directory.chmod(0o755)
    running = Cluster(directory)
    yield running
    running.stop()
    shutil.rmtree(directory)
