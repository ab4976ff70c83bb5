"""The changelog and the guide say what the versions' files say."""

import re
from datetime import date, timedelta

from contract.versions.registry import LIVES, VERSIONS
from domain.api_versions import PRESENT
from tests.house.tree import ROOT

CHANGELOG = (ROOT / "CHANGELOG.md").read_text("utf-8")
GUIDE = (ROOT / "docs" / "versioning.md").read_text("utf-8")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def sections() -> dict[str, str]:
    """The changelog's text by API date, in its order."""
    parts = re.split(r"^## (\S+)$", CHANGELOG, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def rows(text: str) -> list[list[str]]:
    """The cells of every row of the tables in a text, heads and rules left out."""
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line] for line in lines if not set("".join(line)) <= {"-"}]


def test_the_changelog_has_every_version_newest_first() -> None:
    assert list(sections()) == [version.DATE for version in reversed(VERSIONS)]


def test_the_changelog_lists_what_each_version_changed_and_nothing_else() -> None:
    for version in VERSIONS:
        told = re.findall(r"^\* (.+)$", sections()[version.DATE], flags=re.MULTILINE)
        assert told == list(version.CHANGES) != []


def test_the_changelog_says_when_a_version_ends() -> None:
    for version, life in LIVES.items():
        text = sections()[version]
        assert f"since {life.deprecated_at:%Y-%m-%d}" in text
        assert f"removed on {life.sunset_at:%Y-%m-%d}" in text
    assert "The present version." in sections()[PRESENT]


def test_the_guide_has_every_life() -> None:
    lives = {row[0]: row[1:] for row in rows(GUIDE.split("## Which")[0])[1:]}
    assert list(lives) == [version.DATE for version in reversed(VERSIONS)]
    for version, life in LIVES.items():
        assert lives[version] == [
            f"{life.deprecated_at:%Y-%m-%d}",
            f"{life.phases[0].begins:%Y-%m-%d}",
            f"{life.sunset_at:%Y-%m-%dT%H:%M:%SZ}",
        ]


def test_the_guides_schedule_is_the_one_that_is_kept() -> None:
    (life,) = LIVES.values()
    begun: set[tuple[date, int]] = set()
    for begins, ends, days, hours in rows(GUIDE.split("### Timeline")[1])[1:]:
        weekdays = WEEKDAYS if days == "every day" else days.split(", ")
        day = date.fromisoformat(begins)
        while day <= date.fromisoformat(ends):
            if WEEKDAYS[day.weekday()] in weekdays:
                begun |= {(day, int(hour.split(":")[0])) for hour in hours.split(", ")}
            day += timedelta(days=1)
    assert begun == {(moment.date(), moment.hour) for moment in life.brownouts()}
