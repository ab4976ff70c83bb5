"""Cursors carry a place exactly and belong to their filters and order."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.cursors import Place, digest_of, from_text, to_text
from tests.properties import SAME_EVERYWHERE

ID = UUID("019d7cd4-590c-7e6b-a2d4-1f8c3b5a9e70")
MOMENT = datetime(2026, 4, 11, 14, 30, 0, 123000, tzinfo=UTC)
DIGEST = digest_of("-created_at", {"status": "captured"})


@SAME_EVERYWHERE
@given(
    st.datetimes(timezones=st.just(UTC)).map(
        lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    ),
    st.uuids(),
)
def test_a_moment_comes_back_to_the_millisecond(moment: datetime, identifier: UUID) -> None:
    text = to_text(Place(moment, identifier), DIGEST)
    assert from_text(text, DIGEST, by_time=True) == Place(moment, identifier)


@SAME_EVERYWHERE
@given(st.integers(min_value=-(2**63), max_value=2**63 - 1), st.uuids())
def test_an_amount_comes_back(amount: int, identifier: UUID) -> None:
    text = to_text(Place(amount, identifier), DIGEST)
    assert from_text(text, DIGEST, by_time=False) == Place(amount, identifier)


@pytest.mark.parametrize(
    ("sort", "filters"),
    [
        ("created_at", {"status": "captured"}),
        ("-amount", {"status": "captured"}),
        ("-created_at", {}),
        ("-created_at", {"status": "failed"}),
        ("-created_at", {"status": "captured", "currency": "usd"}),
        ("-created_at", {"status": "captured", "since": MOMENT}),
    ],
)
def test_other_filters_or_another_order_do_not_know_it(sort: str, filters: dict[str, str]) -> None:
    text = to_text(Place(MOMENT, ID), DIGEST)
    assert from_text(text, digest_of(sort, filters), by_time=True) is None


def test_the_order_of_filters_does_not_matter() -> None:
    assert digest_of("x", {"a": 1, "b": 2}) == digest_of("x", {"b": 2, "a": 1})


@pytest.mark.parametrize(
    "text",
    ["", "crs_", "crs_x", "crs_eyJpZCI6InBheV8wMDEifQ", "crs_" + "A" * 43, "crs_" + "ü" * 43],
)
def test_a_malformed_one_is_no_place(text: str) -> None:
    assert from_text(text, DIGEST, by_time=True) is None


@SAME_EVERYWHERE
@given(st.text(max_size=100))
def test_nothing_else_makes_it_stumble(text: str) -> None:
    assert from_text("crs_" + text, DIGEST, by_time=True) is None


def test_a_moment_outside_of_the_calendar_is_no_place() -> None:
    text = to_text(Place(2**63 - 1, ID), DIGEST)
    assert from_text(text, DIGEST, by_time=True) is None


def test_it_is_cut_to_milliseconds_downwards() -> None:
    text = to_text(Place(MOMENT + timedelta(microseconds=999), ID), DIGEST)
    assert from_text(text, DIGEST, by_time=True) == Place(MOMENT, ID)
