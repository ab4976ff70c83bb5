"""Two scenes: the shared stack, and one of our own that may be broken."""

from collections.abc import Iterator

import pytest

from tests.errors.scene import Scene
from tests.serving import STRICT, serving
from tests.shop import Shop


@pytest.fixture(scope="module")
def scene(shop: Shop) -> Scene:
    return Scene(shop, shop.open_account())


@pytest.fixture(scope="module")
def broken_scene() -> Iterator[Scene]:
    """A stack that only the recipes of outages see."""
    few = {"PAYMINT_FAILED_AUTHENTICATIONS_PER_MINUTE": "5"}
    with serving(STRICT, "--port", "0", **few) as running:
        opened = Shop(running)
        try:
            yield Scene(opened, opened.open_account())
        finally:
            opened.close()
