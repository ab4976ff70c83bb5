"""Lists in the abstract: cursors, both directions, totals."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.refusals import Malformed
from flows import pages
from models.paging import Page, Position
from runtime.database import Row

NOON = datetime(2026, 4, 11, 12, tzinfo=UTC)


def row(number: int) -> Row:
    return {"id": UUID(int=number), "created_at": NOON + timedelta(seconds=number), "amount": 50}


def show(shown: Row) -> dict[str, Any]:
    return {"id": shown["id"].int}


def answer(query: dict[str, Any], page: Page) -> dict[str, Any]:
    return pages.envelope(pages.ask(query), page, show, total=None)


def test_a_page_in_the_middle_leads_both_ways() -> None:
    given = answer({"limit": 2}, Page([row(2), row(1)], more=True))
    assert [item["id"] for item in given["data"]] == [2, 1]
    assert given["has_more"] and given["next_cursor"] != given["prev_cursor"]
    onwards = pages.ask({"limit": 2, "starting_after": given["next_cursor"]}).page
    assert onwards.start is not None and not onwards.backwards
    assert (onwards.start.id, onwards.start.value) == (UUID(int=1), row(1)["created_at"])
    back = pages.ask({"limit": 2, "ending_before": given["prev_cursor"]}).page
    assert back.start is not None and back.backwards
    assert back.start.id == UUID(int=2)


def test_the_last_page_leads_back_only() -> None:
    given = answer({}, Page([row(1)], more=False))
    assert given["next_cursor"] is None and given["prev_cursor"] is not None


def test_an_empty_page_leads_nowhere() -> None:
    given = answer({}, Page([], more=False))
    assert (given["next_cursor"], given["prev_cursor"], given["has_more"]) == (None, None, False)


def test_paging_back_there_is_something_after_the_page() -> None:
    cursor = answer({}, Page([row(3)], more=True))["prev_cursor"]
    given = answer({"ending_before": cursor}, Page([row(5), row(4)], more=False))
    assert given["next_cursor"] is not None and not given["has_more"]


@pytest.mark.parametrize(
    "other", [{"sort": "amount"}, {"created_gte": "2026-01-01T00:00:00Z"}, {"sort": "created_at"}]
)
def test_a_cursor_is_refused_where_it_was_not_made(other: dict[str, Any]) -> None:
    cursor = answer({}, Page([row(1)], more=True))["next_cursor"]
    with pytest.raises(Malformed) as refused:
        pages.ask({**other, "starting_after": cursor})
    assert (refused.value.code, refused.value.param) == ("invalid_cursor", "starting_after")


def test_a_cursor_of_another_parent_is_refused() -> None:
    made = pages.envelope(
        pages.ask({}, {"payment_id": UUID(int=1)}), Page([row(1)], more=True), show, None
    )
    with pytest.raises(Malformed):
        pages.ask({"starting_after": made["next_cursor"]}, {"payment_id": UUID(int=2)})


def test_both_cursors_at_once_are_refused() -> None:
    with pytest.raises(Malformed) as refused:
        pages.ask({"starting_after": "crs_A", "ending_before": "crs_A"})
    assert refused.value.code == "parameters_exclusive"


def test_what_narrows_a_list_is_named() -> None:
    query = {"created_lte": "2026-01-01T00:00:00Z", "status": "captured"}
    asked = pages.ask(query, {"status": "captured", "currency": None})
    assert asked.filtered_by == {"status", "created_lte"}


@pytest.mark.parametrize("backwards", [False, True])
def test_a_page_that_ended_early_leads_on_from_there(backwards: bool) -> None:
    query = {"ending_before" if backwards else "starting_after": cursor_of(5)}
    ended = Page([], more=True, ended_at=Position(row(9)["created_at"], row(9)["id"]))
    given = answer(query, ended)
    assert given["has_more"] and given["data"] == []
    name, other = ("prev", "next") if backwards else ("next", "prev")
    assert given[f"{other}_cursor"] is None
    parameter = "ending_before" if backwards else "starting_after"
    onwards = pages.ask({parameter: given[f"{name}_cursor"]}).page
    assert onwards.start == ended.ended_at


def cursor_of(number: int) -> str:
    cursor = answer({}, Page([row(number)], more=True))["next_cursor"]
    assert isinstance(cursor, str)
    return cursor
