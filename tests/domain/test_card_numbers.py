"""What is a card number in a text, what is none, and what looking for one costs."""

import random
import time

import pytest

from domain.card_numbers import brand_of, has_card_number, has_check_digit

VISA = "4242424242424242"
FULL_WIDTH = VISA.translate({ord("0") + n: 0xFF10 + n for n in range(10)})
ARABIC = VISA.translate({ord("0") + n: 0x0660 + n for n in range(10)})
BOLD = VISA.translate({ord("0") + n: 0x1D7CE + n for n in range(10)})
SUPERSCRIPT = VISA.translate({ord("4"): "⁴", ord("2"): "²"})
KEYCAPS = "".join(digit + "\ufe0f\u20e3" for digit in VISA)


def grouped(separator: str, *, digits: int = 4, number: str = VISA) -> str:
    return separator.join(number[n : n + digits] for n in range(0, len(number), digits))


NUMBERS = [
    VISA,
    *(grouped(s) for s in (" ", "-", ".", "_", "/", "\n", "\t", "  ", " - ", "\u00a0", "\u2009")),
    *(grouped(s) for s in ("\u2011", "\u2013", "\u2014", "\u2212", "\u3000", "·", "•")),
    *(grouped(s) for s in ("\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u0301")),
    *(grouped(s, digits=1) for s in (" ", "-", "\u200b", " \u200b ")),
    *(grouped(" ", digits=n) for n in (2, 3, 5, 6, 8)),
    *(FULL_WIDTH, ARABIC, BOLD, SUPERSCRIPT, KEYCAPS, grouped("\u3000", number=FULL_WIDTH)),
    FULL_WIDTH[:8] + VISA[8:],
    f"card {VISA}, thanks",
    f"{grouped(' ')} 12/28 123",
    f"1 {grouped(' ')}",
    f"order 12 of 2026-04-11 {grouped('-')} paid",
    f"pan{VISA}x",
    f"a{VISA}b",
    f";{VISA}=30121010000012345678?",
    f"4000000000000000 and {VISA}",
    f"pay_019d7cd3e8417f5a9c2b7d4e6f8a0b13 {VISA}",
    f"https://shop.example.com/?c={VISA}",
    f"+{VISA}",
    f"card_{grouped('_')}",
    "4222222222222",
    "4000000000000000006",
    "5555 5555 5555 4444",
    "2223003122003222",
    "3714 496353 98431",
    "378282246310005",
    "6011111111111117",
    "6500000000000002",
    "3530111333300000",
    "36227206271667",
    "3056 930902 5904",
    "6200000000000005",
    "6759649826438453",
    "501800000009",
]

NO_NUMBERS = [
    "",
    "Order #9281",
    "4242424242424241",
    f"{VISA}0",
    f"0{VISA}",
    "1234567890123452",
    "0000000000000000",
    "424242424242",
    "Order 4711 of 2026-04-11 14:30, 3 items, 4242 points",
    "550e8400-e29b-41d4-a716-446655440000",
    "a5a5a5a5-4242-4242-4242-424242424242",
    "pay_a242424242424242424242424242424f",
    f"{VISA}abcdefabcdefabcd",
    "2026-04-11T14:30:00.123Z",
    "192.168.100.100/32, 10.200.100.100",
    "+49 1512 3456784",
    "+4915123456784",
    "52.520008, 13.404954",
    "4242,4242,4242,4242",
    "4242:4242:4242:4242",
    "4242 pieces, 4242 more, 4242 boxes, 4242 bags",
]


@pytest.mark.parametrize("text", NUMBERS)
def test_a_card_number_is_found(text: str) -> None:
    assert has_card_number(text)


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_is_none_is_left_alone(text: str) -> None:
    assert not has_card_number(text)


def test_a_number_without_its_check_digit_is_none() -> None:
    digits = [f"{VISA[:-1]}{last}" for last in "013456789"]
    assert not any(has_check_digit(number) for number in digits)
    assert not any(has_card_number(number) for number in digits)


def test_every_number_that_the_vault_takes_is_found() -> None:
    chance, found = random.Random(20260411), 0
    while found < 200:
        length = chance.choice((13, 15, 16, 19))
        number = "".join(chance.choice("0123456789") for _ in range(length))
        if brand_of(number) is None or not has_check_digit(number):
            continue
        found += 1
        assert has_card_number(number), number
        assert has_card_number(f"n {number[:5]} {number[5:]}."), number


def test_ids_of_our_own_are_hardly_ever_taken_for_one() -> None:
    """The chance was one in tens of thousands for each; it must be none."""
    chance = random.Random(20260411)
    for _ in range(50_000):
        text = f"{chance.getrandbits(128):032x}"
        shown = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
        assert not has_card_number(f"order {shown} pay_{text}")


HOSTILE = {
    "one run": "4",
    "groups of four": "4444 ",
    "groups of three": "444 ",
    "single digits": "4 ",
    "hyphens": "1-",
    "nearly long enough": "4" * 11 + "a",
    "gaps": "1" + " " * 20,
    "numbers without check digit": "4444444444444444 ",
    "digests": "0" * 31 + " ",
    "uuids": "00000000-0000",
    "invisible": "4\u200b",
    "full width": "\uff14 ",
    "accents": "é",
    "plus": "+",
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
def test_time_is_linear_in_the_length(piece: str) -> None:
    """Ten times the text takes about ten times as long; a quadratic search, a hundred."""
    spent = []
    for length in (20_000, 200_000):
        text = (piece * (length // len(piece) + 1))[:length]
        best = min(_seconds(text) for _ in range(3))
        spent.append(best)
    assert spent[1] < 40 * max(spent[0], 1e-4)
    assert spent[1] < 2.0


def _seconds(text: str) -> float:
    began = time.process_time()
    assert not has_card_number(text)
    return time.process_time() - began
