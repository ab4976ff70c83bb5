"""A merchant's test clock, as tests move it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.shop import Merchant, told

CLOCKS = "/v1/test_helpers/clocks"
MINUTE = timedelta(minutes=1)
WEEK = timedelta(days=7)
# The shortest span that a clock knows.
MOMENT = timedelta(milliseconds=1)


def text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ahead(span: timedelta = MINUTE) -> datetime:
    """A moment of the wall clock's future, in whole milliseconds."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000) + span


def freeze(merchant: Merchant, at: datetime, **options: Any) -> httpx.Response:
    return merchant.ask("POST", CLOCKS, {"frozen_time": text(at)}, **options)


class Frozen:
    """A clock that was just frozen, a minute ahead if nothing else is said."""

    def __init__(self, merchant: Merchant, at: datetime | None = None) -> None:
        self.merchant = merchant
        self.shown = told(freeze(merchant, at or ahead()), 201)
        self.path = f"{CLOCKS}/{self.shown['id']}"

    @property
    def time(self) -> datetime:
        return datetime.fromisoformat(self.merchant.get(self.path)["frozen_time"])

    def advance_answer(self, to: datetime) -> httpx.Response:
        return self.merchant.ask("POST", f"{self.path}/advance", {"frozen_time": text(to)})

    def advance(self, span: timedelta) -> None:
        to = self.time + span
        assert told(self.advance_answer(to), 200)["frozen_time"] == text(to)

    def delete(self) -> dict[str, Any]:
        return told(self.merchant.ask("DELETE", self.path), 200)
