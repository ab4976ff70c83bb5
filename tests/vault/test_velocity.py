"""Which cards and merchants stand out, on a clock that the test moves."""

from uuid import UUID

import pytest

from runtime.clock import SystemClock
from runtime.ids import uuid7
from runtime.masked import Masked
from vault.instruments import BankAccount, Card
from vault.networks.behaviours import PUBLISHED_CARDS
from vault.operations import velocity as module
from vault.operations.velocity import (
    CARD_ATTEMPTS,
    MERCHANT_ATTEMPTS,
    MERCHANT_DECLINED_CARDS,
    WINDOW_SECONDS,
    Velocity,
)

NUMBER = "4929939187355598"
SHARED = "4242424242424242"


class MovedClock(SystemClock):
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.at = 0.0

    def monotonic(self) -> float:
        return self.at


class Counter:
    """A velocity and its clock."""

    def __init__(self) -> None:
        self.clock = MovedClock()
        self.velocity = Velocity(self.clock, PUBLISHED_CARDS)

    def pay(
        self,
        number: str = NUMBER,
        *,
        merchant: UUID,
        declined: bool = False,
        livemode: bool = True,
    ) -> bool:
        card = Card(Masked(number), 12, 2034, "visa")
        attempt = self.velocity.tried(merchant, livemode, card)
        return self.velocity.answered(attempt, declined)


@pytest.fixture
def counter() -> Counter:
    return Counter()


def number(place: int) -> str:
    return f"{4929_0000_0000_0000 + place}"


def test_a_card_stands_out_across_merchants_and_no_other_does(counter: Counter) -> None:
    first, second = uuid7(), uuid7()
    flags = [counter.pay(merchant=(first, second)[place % 2]) for place in range(CARD_ATTEMPTS + 2)]
    assert flags == [False] * CARD_ATTEMPTS + [True, True]
    assert not counter.pay(number(1), merchant=first)


def test_declined_or_approved_an_attempt_counts(counter: Counter) -> None:
    merchant = uuid7()
    for place in range(CARD_ATTEMPTS):
        counter.pay(merchant=merchant, declined=place % 2 == 0)
    assert counter.pay(merchant=merchant)


def test_once_the_window_has_passed_the_card_is_like_any_other(counter: Counter) -> None:
    merchant = uuid7()
    for _ in range(CARD_ATTEMPTS + 1):
        counter.pay(merchant=merchant)
    counter.clock.at += WINDOW_SECONDS
    assert counter.pay(merchant=merchant)
    counter.clock.at += WINDOW_SECONDS + 1
    assert not counter.pay(merchant=merchant)


def test_ten_in_a_longer_time_are_not_ten_in_the_window(counter: Counter) -> None:
    merchant = uuid7()
    for _ in range(3 * CARD_ATTEMPTS):
        assert not counter.pay(merchant=merchant)
        counter.clock.at += WINDOW_SECONDS / CARD_ATTEMPTS + 1


def test_the_modes_are_separate_worlds(counter: Counter) -> None:
    merchant = uuid7()
    for _ in range(CARD_ATTEMPTS + 1):
        counter.pay(merchant=merchant, livemode=False)
    assert counter.pay(merchant=merchant, livemode=False)
    assert not counter.pay(merchant=merchant, livemode=True)


def test_what_the_sandbox_publishes_says_nothing_of_another_merchant(counter: Counter) -> None:
    busy, other = uuid7(), uuid7()
    for _ in range(CARD_ATTEMPTS + 1):
        counter.pay(SHARED, merchant=busy, livemode=False)
    assert counter.pay(SHARED, merchant=busy, livemode=False)
    assert not counter.pay(SHARED, merchant=other, livemode=False)
    # In live mode it is a card.
    for _ in range(CARD_ATTEMPTS):
        counter.pay(SHARED, merchant=busy)
    assert counter.pay(SHARED, merchant=other)


def test_a_bank_account_is_counted_at_its_merchant(counter: Counter) -> None:
    account = BankAccount("US", "usd", "110000000", Masked("000123456789"))
    busy, other = uuid7(), uuid7()
    for _ in range(CARD_ATTEMPTS):
        counter.velocity.tried(busy, True, account)
    assert counter.velocity.tried(busy, True, account).often
    assert not counter.velocity.tried(other, True, account).often


def test_a_merchant_whose_cards_are_tested_stands_out_and_no_other(counter: Counter) -> None:
    tested, other = uuid7(), uuid7()
    for place in range(MERCHANT_DECLINED_CARDS - 1):
        assert not counter.pay(number(place), merchant=tested, declined=True)
    assert not counter.pay(number(100), merchant=tested)
    assert counter.pay(number(101), merchant=tested, declined=True)
    # The card that works is the one that was looked for.
    assert counter.pay(number(102), merchant=tested)
    assert not counter.pay(number(103), merchant=other)
    counter.clock.at += WINDOW_SECONDS + 1
    assert not counter.pay(number(104), merchant=tested)


def test_a_large_merchants_usual_declines_do_not_stand_out(counter: Counter) -> None:
    merchant = uuid7()
    for place in range(20 * MERCHANT_ATTEMPTS):
        assert not counter.pay(number(place), merchant=merchant, declined=place % 3 == 0)


def test_one_card_declined_again_and_again_is_not_many_cards(counter: Counter) -> None:
    merchant = uuid7()
    for _ in range(MERCHANT_ATTEMPTS):
        counter.pay(merchant=merchant, declined=True)
    assert not counter.pay(number(1), merchant=merchant)


def test_memory_is_bounded_and_keeps_what_comes_often(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMEMBERED_CARDS", 50)
    monkeypatch.setattr(module, "REMEMBERED_MERCHANTS", 5)
    for place in range(40 * CARD_ATTEMPTS):
        counter.pay(number(place), merchant=uuid7())
        if place % 40 == 0:
            flagged = counter.pay(merchant=uuid7())
    assert not flagged
    assert counter.pay(merchant=uuid7())
    held = vars(counter.velocity)
    assert len(held["_cards"]) <= 50
    assert len(held["_merchants"]) <= 5


def test_no_number_is_kept(counter: Counter) -> None:
    """PCI DSS 4.0.1 req. 3.5.1.1: a digest under a key of this process's own, and no number."""
    counter.pay(merchant=uuid7(), declined=True)
    held = vars(counter.velocity)
    assert NUMBER not in repr({name: held[name] for name in ("_cards", "_merchants")})
    (card,) = held["_cards"]
    assert len(card) == 16
    again = Counter()
    again.pay(merchant=uuid7())
    assert card not in vars(again.velocity)["_cards"]
