"""Fees are whole minor units, halves rounded to even."""

from decimal import ROUND_HALF_EVEN, Decimal

import pytest

from domain.fees import capture_fee


@pytest.mark.parametrize(
    ("amount", "fee"),
    [(50, 31), (10000, 320), (15000, 465), (50_000, 1480), (99_999_999, 2_900_030)],
)
def test_the_published_fee(amount: int, fee: int) -> None:
    assert capture_fee(amount) == fee


def test_every_amount_agrees_with_decimal_arithmetic() -> None:
    for amount in [*range(50, 30_000), *range(99_990_000, 100_000_000)]:
        exact = Decimal(amount) * Decimal("0.029")
        assert capture_fee(amount) == int(exact.quantize(Decimal(1), ROUND_HALF_EVEN)) + 30


def test_halves_go_to_the_even_side() -> None:
    # 2.9 % of 500 is 14.5, of 1500 it is 43.5.
    assert (capture_fee(500), capture_fee(1500)) == (14 + 30, 44 + 30)
