"""Ids of master keys that we name ourselves: the moment of birth, so that they sort by age."""

import os
import re
from datetime import UTC, datetime, timedelta
from typing import Final

# The one that has no moment in its name: older than every other.
FIRST: Final = "master"
_STAMP: Final = "%Y%m%dT%H%M%SZ"
_SHAPE: Final = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{8}")
_RANDOM_BYTES: Final = 4
_STEP: Final = timedelta(seconds=1)


def born(master: str) -> datetime | None:
    """When the key of this id was made; None for an id that is not of this shape."""
    found = _SHAPE.fullmatch(master)
    return datetime.strptime(found[1], _STAMP).replace(tzinfo=UTC) if found else None


def new_id(newest: str | None) -> str:
    """An id that sorts after the newest one there is, even where the clock went back."""
    moment = datetime.now(UTC)
    before = None if newest is None else born(newest)
    if before is not None and moment < before + _STEP:
        moment = before + _STEP
    return f"{moment.strftime(_STAMP)}-{os.urandom(_RANDOM_BYTES).hex()}"
