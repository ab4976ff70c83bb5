"""How two processes share the tests: by folders, since the tests of one share its fixtures.

A plugin of pytest-xdist, whose own ways of sharing know modules and marks only.
"""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# These take the longest, so they are begun before the others.
BEGUN_FIRST = (
    "contract_conformance",
    "faults",
    "hosts",
    "workers",
    "vault",
    "scripts",
    "journeys",
    "races",
)
# Each version's runs ask a stack of their own.
SHARED_BY_PARAMETER = "contract_conformance"


class ByFolder(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist is not typed
    """A folder's tests run in one process, in their order."""

    def _split_scope(self, nodeid: str) -> str:
        return part_of(nodeid)


def part_of(nodeid: str) -> str:
    """What runs in one process: a folder of tests/, or the tests of one parameter in it."""
    folder = folder_of(nodeid)
    return folder + nodeid[nodeid.index("[") :] if folder == SHARED_BY_PARAMETER else folder


def folder_of(nodeid: str) -> str:
    """The folder of tests/ that a test lies in."""
    return nodeid.split("/")[1]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest folders first."""
    ranks = {folder: rank for rank, folder in enumerate(BEGUN_FIRST)}
    items.sort(key=lambda item: ranks.get(folder_of(item.nodeid), len(ranks)))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Share by folder, whatever `--dist` says."""
    return ByFolder(config, log)
