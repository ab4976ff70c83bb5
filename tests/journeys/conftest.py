"""Notes which operations the journeys of a run went through to a good answer."""

from collections.abc import Iterator

import httpx
import pytest

from tests.shop import Shop

# The journey that looks at all the others comes after them.
LAST = "test_every_operation.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name == LAST)


@pytest.fixture(scope="session")
def answered() -> set[tuple[str, str]]:
    """Method and path of every request of a journey that was not refused."""
    return set()


@pytest.fixture(autouse=True)
def noted(shop: Shop, answered: set[tuple[str, str]]) -> Iterator[None]:
    """Note what the shop's two clients are answered during one journey."""

    def note(answer: httpx.Response) -> None:
        if not answer.is_error:
            answered.add((answer.request.method, answer.request.url.path))

    doors = (shop.http, shop.vault)
    for door in doors:
        door.event_hooks = {"response": [note]}
    yield
    for door in doors:
        door.event_hooks = {}
