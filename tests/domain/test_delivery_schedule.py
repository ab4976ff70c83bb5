"""The blueprint's retry table."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.delivery_schedule import after_attempt, is_success

NOW = datetime(2026, 4, 11, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("attempt", "delay"),
    [
        (1, timedelta(minutes=5)),
        (2, timedelta(minutes=30)),
        (3, timedelta(hours=2)),
        (4, timedelta(hours=24)),
    ],
)
def test_a_failed_attempt_is_followed_by_the_next_one(attempt: int, delay: timedelta) -> None:
    assert after_attempt(attempt, succeeded=False, attempted_at=NOW) == ("pending", NOW + delay)


@pytest.mark.parametrize("attempt", [5, 6, 17])
def test_the_fifth_failure_and_every_failed_replay_is_the_last(attempt: int) -> None:
    assert after_attempt(attempt, succeeded=False, attempted_at=NOW).state == "failed"


@pytest.mark.parametrize("attempt", [1, 5, 6])
def test_a_success_ends_the_delivery(attempt: int) -> None:
    assert after_attempt(attempt, succeeded=True, attempted_at=NOW).state == "succeeded"


@pytest.mark.parametrize(
    ("status", "success"),
    [
        (200, True),
        (204, True),
        (299, True),
        (199, False),
        (302, False),
        (500, False),
        (None, False),
    ],
)
def test_only_2xx_is_a_success(status: int | None, success: bool) -> None:
    assert is_success(status) is success
