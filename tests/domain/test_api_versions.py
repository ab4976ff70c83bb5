"""The life of the oldest version, at every edge."""

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise

import pytest

from contract.versions.registry import LIVES, check_choice, delivered_in, standing_of
from domain.api_versions import BROWNOUT, PRESENT, Standing
from domain.refusals import Unprocessable

OLD = "2025-09-15"
LIFE = LIVES[OLD]
A_MILLISECOND = timedelta(milliseconds=1)
SUNSET = datetime(2027, 4, 1, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "before", "after"),
    [
        ("2026-04-01T00:00:00", Standing.CURRENT, Standing.DEPRECATED),
        ("2027-02-01T15:00:00", Standing.DEPRECATED, Standing.BROWNOUT),
        ("2027-02-01T16:00:00", Standing.BROWNOUT, Standing.DEPRECATED),
        ("2027-02-08T15:00:00", Standing.DEPRECATED, Standing.BROWNOUT),
        ("2027-03-04T15:00:00", Standing.DEPRECATED, Standing.BROWNOUT),
        ("2027-03-22T03:00:00", Standing.DEPRECATED, Standing.BROWNOUT),
        ("2027-03-31T15:00:00", Standing.DEPRECATED, Standing.BROWNOUT),
        ("2027-03-31T16:00:00", Standing.BROWNOUT, Standing.DEPRECATED),
        ("2027-04-01T00:00:00", Standing.DEPRECATED, Standing.REMOVED),
    ],
)
def test_an_edge_belongs_to_what_begins_there(
    moment: str, before: Standing, after: Standing
) -> None:
    edge = at(moment)
    assert LIFE.standing(edge - A_MILLISECOND) is before
    assert LIFE.standing(edge) is after
    elsewhere = edge.astimezone(timezone(timedelta(hours=9)))
    assert LIFE.standing(elsewhere) is after


@pytest.mark.parametrize(
    "moment",
    ["2027-01-25T15:30:00", "2027-02-04T15:30:00", "2027-03-23T12:00:00", "2027-03-18T03:30:00"],
)
def test_hours_that_are_no_brownout(moment: str) -> None:
    assert LIFE.standing(at(moment)) is Standing.DEPRECATED


def test_the_schedule_is_of_single_hours_that_come_more_often() -> None:
    beginnings = list(LIFE.brownouts())
    assert beginnings[0] == at("2027-02-01T15:00:00")
    assert beginnings[-1] == at("2027-03-31T15:00:00")
    assert len(beginnings) == 4 + 6 + 20
    for begins in beginnings:
        assert LIFE.standing(begins) is Standing.BROWNOUT
        assert LIFE.standing(begins + BROWNOUT - A_MILLISECOND) is Standing.BROWNOUT
        assert LIFE.standing(begins + BROWNOUT) is Standing.DEPRECATED
    gaps = [later - earlier for earlier, later in pairwise(beginnings)]
    assert max(gaps[:3]) == timedelta(days=7) and max(gaps[-10:]) == timedelta(hours=12)


def test_a_brownout_is_seen_only_where_the_schedule_has_one() -> None:
    seen, moment = [], at("2027-01-31T00:30:00")
    while moment < SUNSET:
        if LIFE.standing(moment) is Standing.BROWNOUT:
            seen.append(moment - timedelta(minutes=30))
        moment += timedelta(hours=1)
    assert seen == list(LIFE.brownouts())


def test_the_dates_of_the_decisions() -> None:
    assert LIFE.deprecated_at == at("2026-04-01T00:00:00")
    assert LIFE.sunset_at == SUNSET
    assert LIFE.phases[0].begins == date(2027, 2, 1)


def test_the_present_version_has_no_end() -> None:
    assert standing_of(PRESENT, SUNSET + timedelta(days=9999)) is Standing.CURRENT


def test_a_version_can_be_chosen_and_is_delivered_until_it_is_removed() -> None:
    brownout = at("2027-03-31T15:30:00")
    check_choice(OLD, brownout)
    assert delivered_in(OLD, brownout) == OLD
    assert delivered_in(OLD, SUNSET - A_MILLISECOND) == OLD
    assert delivered_in(OLD, SUNSET) == PRESENT
    with pytest.raises(Unprocessable):
        check_choice(OLD, SUNSET)
    check_choice(PRESENT, SUNSET)
