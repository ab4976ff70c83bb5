"""The pause before the next question grows with what has passed, up to a bound."""

from datetime import timedelta

import pytest

from domain.asking_again import pause


@pytest.mark.parametrize(
    ("age", "seconds"), [(-1.0, 5.0), (0.0, 5.0), (20.0, 5.0), (40.0, 10.0), (3600.0, 15.0)]
)
def test_pause(age: float, seconds: float) -> None:
    waits = pause(timedelta(seconds=age), timedelta(seconds=5))
    assert waits == timedelta(seconds=seconds)
