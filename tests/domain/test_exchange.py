"""Rates are decimal texts, amounts whole numbers, halves go to even."""

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.exchange_rates import TABLE
from domain.exchange import converted, cross_rate, is_rate
from domain.payouts import MINIMUM, arrival, planned
from tests.document import DOCUMENT
from tests.properties import SAME_EVERYWHERE

CURRENCIES = DOCUMENT["components"]["schemas"]["Currency"]["enum"]
RATES = st.from_regex(r"[0-9]{1,12}(\.[0-9]{1,12})?", fullmatch=True).filter(is_rate)


@pytest.mark.parametrize(
    ("amount", "currency", "rate", "to", "worth"),
    [
        (9680, "eur", "1.16", "usd", 11229),
        (1, "usd", "0.5", "eur", 0),
        (3, "usd", "0.5", "eur", 2),
        (5, "usd", "0.5", "eur", 2),
        (100, "usd", "155.7632398754", "jpy", 156),
        (156, "jpy", "0.00642", "usd", 100),
        (12345, "kwd", "3.257", "usd", 4021),
        (1, "usd", "999999999999.999999999999", "kwd", 10_000_000_000_000),
    ],
)
def test_an_amount_in_another_currency(
    amount: int, currency: str, rate: str, to: str, worth: int
) -> None:
    assert converted(amount, currency, rate, to) == worth


@SAME_EVERYWHERE
@given(st.integers(0, 10**15), st.sampled_from(CURRENCIES), RATES, st.sampled_from(CURRENCIES))
def test_conversion_is_exact_to_half_a_unit(amount: int, currency: str, rate: str, to: str) -> None:
    decimals = {"clp": 0, "isk": 0, "jpy": 0, "krw": 0, "vnd": 0}
    decimals |= dict.fromkeys(("bhd", "jod", "kwd", "omr", "tnd"), 3)
    units = Fraction(10) ** (decimals.get(to, 2) - decimals.get(currency, 2))
    assert converted(amount, currency, rate, to) == round(amount * Fraction(rate) * units)


@SAME_EVERYWHERE
@given(RATES, RATES)
def test_a_cross_rate_has_ten_decimals(rate: str, to_rate: str) -> None:
    exact = Fraction(rate) / Fraction(to_rate)
    try:
        crossed = cross_rate(rate, to_rate)
    except ValueError:
        assert exact * 10**10 <= Fraction(1, 2)
        return
    assert Fraction(crossed) == round(exact * 10**10) / Fraction(10**10)


@pytest.mark.parametrize(
    "text", ["", "0", "0.000", "-1", "1.", ".5", "1e3", "\u0661", "1 ", "1" * 13]
)
def test_what_is_no_rate(text: str) -> None:
    assert not is_rate(text)


def test_every_currency_of_the_document_has_a_rate() -> None:
    assert sorted(TABLE) == sorted(CURRENCIES)
    assert all(is_rate(rate) for rate in TABLE.values())


@SAME_EVERYWHERE
@given(
    st.dictionaries(st.sampled_from(CURRENCIES), st.integers(-(10**12), 10**12)),
    st.sampled_from(CURRENCIES),
    st.sets(st.sampled_from(CURRENCIES)),
)
def test_a_plan_pays_what_is_there_and_loses_nothing(
    settled: dict[str, int], to: str, known: set[str]
) -> None:
    plan = planned(settled, to, dict.fromkeys(known, "0.75"))
    paid = {part.currency for part in plan.parts}
    assert all(part.amount == settled[part.currency] > 0 for part in plan.parts)
    assert not paid & set(plan.without_rate)
    assert all(settled[each] > 0 and each != to for each in plan.without_rate)
    assert plan.amount == 0 or plan.amount >= MINIMUM
    assert plan.amount == sum(part.converted_amount for part in plan.parts)


@pytest.mark.parametrize(
    ("day", "live"),
    [(7, 9), (8, 10), (9, 11), (10, 14), (11, 15), (12, 15), (13, 15)],
)
def test_the_day_of_arrival_is_a_banking_day(day: int, live: int) -> None:
    of = date(2026, 12, day)
    assert arrival(of, livemode=True) == date(2026, 12, live)
    assert arrival(of, livemode=False) == of
