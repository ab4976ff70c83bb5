"""Which texts are moments, and which moment each is."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from domain.moments import from_text, is_moment, to_text


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-04-01T00:00:00Z", datetime(2026, 4, 1, tzinfo=UTC)),
        ("2026-04-01t02:00:00.5+02:00", datetime(2026, 4, 1, 0, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-04-01T00:00:00.123456789z", datetime(2026, 4, 1, 0, 0, 0, 123_456, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2017-01-01T05:29:60+05:30", datetime(2017, 1, 1, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("0000-12-31T23:59:60Z", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_moment_of_rfc_3339(text: str, moment: datetime) -> None:
    assert is_moment(text)
    assert from_text(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-04-01",
        "2026-04-01T00:00:00",
        "2026-04-01 00:00:00Z",
        "20260401T000000Z",
        "2026-W14-3T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-04-01T24:00:00Z",
        "2026-04-01T12:00:60Z",
        "2026-04-01T00:00:00+24:00",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-00:01",
        "2026-04-01T00:00:00Z\n",
        "\u0662026-04-01T00:00:00Z",
    ],
)
def test_what_is_no_moment(text: str) -> None:
    assert not is_moment(text)


@pytest.mark.parametrize("microseconds", [0, 1, 999, 1_000, 999_999])
def test_a_moment_is_written_in_whole_milliseconds(microseconds: int) -> None:
    in_india = timezone(timedelta(hours=5, minutes=30))
    for year in (1, 476, 2026, 9999):
        moment = datetime(year, 2, 3, 14, 5, 6, microseconds, tzinfo=UTC)
        text = f"{year:04}-02-03T14:05:06.{microseconds // 1000:03}Z"
        assert to_text(moment) == to_text(moment.astimezone(in_india)) == text
