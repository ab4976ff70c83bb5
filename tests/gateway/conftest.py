"""The application is compiled once; every test gets a house as new."""

import os

import pytest

# Before any operation is compiled: an answer that the document does not declare is a 500.
os.environ["PAYMINT_STRICT_ANSWERS"] = "1"

from runtime.clock import SystemClock
from tests.gateway.door import Audit, DeprecatedUse, Door, Keys, Limiter, Tokens


@pytest.fixture(scope="session")
def compiled_door() -> Door:
    """The one compiled application."""
    return Door()


@pytest.fixture
def door(compiled_door: Door) -> Door:
    """The application over a house that nobody has used."""
    compiled_door.house.keys = Keys()
    compiled_door.house.tokens = Tokens()
    compiled_door.house.limiter = Limiter()
    compiled_door.house.audit = Audit()
    compiled_door.house.clock = SystemClock()
    compiled_door.house.deprecated_use = DeprecatedUse()
    compiled_door.requests.clear()
    compiled_door.answers.clear()
    return compiled_door
