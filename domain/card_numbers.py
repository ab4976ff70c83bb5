"""What a card number looks like: the brands' ranges, and how to find one in a text.

The vault reads the brand of a card here, and the contract refuses texts that hold a card
number (PCI DSS 4.0.1 req. 3.4.1, 3.5.1; contract-decisions, "Events and webhooks").  One
table serves both, so no number that the vault takes can be written into a text.
"""

import re
import unicodedata
from typing import Final, Literal, NamedTuple, get_args

CARD_DIGITS_MIN: Final = 12
CARD_DIGITS_MAX: Final = 19
# Shorter groups are dates, times and counts; numbers are printed in groups of four to six.
GROUP_DIGITS_MIN: Final = 3
# After a plus sign.  E.164 goes to 15, but that many digits Amex has in use today.
TELEPHONE_DIGITS_MAX: Final = 13

# The brands of the networks that we are connected to.
AcceptedBrand = Literal["visa", "mastercard", "amex"]
_ACCEPTED: Final[tuple[AcceptedBrand, ...]] = get_args(AcceptedBrand)


class _Brand(NamedTuple):
    """The lengths that a brand issues, and its ranges as first and last prefix."""

    name: str
    lengths: tuple[int, ...]
    ranges: tuple[tuple[str, str], ...]


_BRANDS: Final = (
    _Brand("visa", (13, 16, 19), (("4", "4"),)),
    _Brand("mastercard", (16,), (("51", "55"), ("2221", "2720"))),
    _Brand("amex", (15,), (("34", "34"), ("37", "37"))),
    _Brand("discover", (16, 19), (("6011", "6011"), ("644", "649"), ("65", "65"))),
    _Brand("diners", (14,), (("300", "305"), ("3095", "3095"), ("36", "36"), ("38", "39"))),
    _Brand("jcb", (16,), (("3528", "3589"),)),
    _Brand("unionpay", (16, 17, 18, 19), (("62", "62"),)),
    _Brand(
        "maestro",
        (12, 13, 14, 15, 16, 17, 18, 19),
        (
            *(("5018", "5018"), ("5020", "5020"), ("5038", "5038"), ("5893", "5893")),
            *(("6304", "6304"), ("6759", "6759"), ("6761", "6763")),
        ),
    ),
)
# No range of the table is told by more digits.
_PREFIX_DIGITS: Final = 4
_BRAND_BY_PREFIX: Final = {
    str(number): brand
    for brand in _BRANDS
    for first, last in brand.ranges
    for number in range(
        int(first.ljust(_PREFIX_DIGITS, "0")), int(last.ljust(_PREFIX_DIGITS, "9")) + 1
    )
}
# What two digits of a double add up to (ISO/IEC 7812-1 annex B).
_DOUBLED: Final = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))
_PLAIN: Final = bytes.maketrans(b"0123456789", bytes(range(10)))

# What may stand between the digits of one number, beside spaces and hyphens.
_BETWEEN: Final = r"\s./_\-"
_LONG_RUN: Final = re.compile(rf"\+?[0-9](?:[{_BETWEEN}]*[0-9]){{{CARD_DIGITS_MIN - 1},}}")
# Nearly every text is done with after this, which is cheaper.
_PERHAPS: Final = re.compile(rf"[0-9][0-9{_BETWEEN}]{{{CARD_DIGITS_MIN - 1},}}")
_GROUP: Final = re.compile(r"[0-9]+")
# Ids, UUIDs and digests have long runs of decimal digits by chance: one UUID in some ten
# thousand would be taken for a card number.
_OPAQUE: Final = re.compile(
    r"(?<![0-9A-Za-z])"
    r"(?:[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
    r"|[0-9A-Fa-f]{32}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})(?![0-9A-Za-z])"
)
_LETTER: Final = re.compile(r"[A-Fa-f]")
# Minus sign, middle dot, bullet, hyphenation point, one dot leader, bullet and dot operators.
_MORE_GAPS: Final = frozenset((0x2212, 0xB7, 0x2022, 0x2027, 0x2024, 0x2219, 0x22C5))
# The planes in which digits, dashes and marks stand, and the tags.
_WRITTEN_IN: Final = (range(0x80, 0x20000), range(0xE0000, 0xE0200))


def brand_of(number: str) -> AcceptedBrand | None:
    """The brand of a number of ASCII digits; None for one that we do not take."""
    brand = _issuer(number)
    if brand is None or len(number) not in brand.lengths:
        return None
    return next((name for name in _ACCEPTED if name == brand.name), None)


def has_check_digit(number: str) -> bool:
    """True for ASCII digits whose last one is the Luhn check digit of the others."""
    digits = number.encode("ascii")
    single, double = digits[::-2].translate(_PLAIN), digits[-2::-2].translate(_DOUBLED)
    return (sum(single) + sum(double)) % 10 == 0


def has_card_number(text: str) -> bool:
    """True where a reader would find a card number in the text.

    A number is a run of digits of a length that its brand issues, in the brand's ranges,
    with the right check digit.  Spaces, hyphens, dots, slashes and underscores between
    digits, and what is invisible, are read over; digits of every script count.  The run is
    taken whole, and between any two of its gaps.  Time is linear in the length of the text.
    """
    if len(text) < CARD_DIGITS_MIN:
        return False
    if not text.isascii():
        text = text.translate(_READ_AS)
    if _PERHAPS.search(text) is None:
        return False
    runs = _LONG_RUN.findall(_OPAQUE.sub(_without_digits, text))
    return any(_has_card(_GROUP.findall(run)) for run in runs if not _is_telephone(run))


def _is_telephone(run: str) -> bool:
    """A German mobile number would be a Visa number of the old length, one time in ten."""
    return run[0] == "+" and sum(map(len, _GROUP.findall(run))) <= TELEPHONE_DIGITS_MAX


def _without_digits(opaque: re.Match[str]) -> str:
    return "x" if _LETTER.search(opaque[0]) else opaque[0]


def _has_card(groups: list[str]) -> bool:
    """Whether groups of digits are a number, all of them or some that stand together."""
    if len(groups) <= CARD_DIGITS_MAX and _is_card("".join(groups)):
        return True
    return any(
        len(group) >= GROUP_DIGITS_MIN and _begins_card(groups, first)
        for first, group in enumerate(groups)
    )


def _begins_card(groups: list[str], first: int) -> bool:
    """Whether a number begins with this group and ends with it, or with one of the next."""
    within_reach = groups[first : first + CARD_DIGITS_MAX // GROUP_DIGITS_MIN + 1]
    brand = _issuer("".join(within_reach[:2]))
    if brand is None:
        return False
    number = ""
    for group in within_reach:
        number += group
        if len(number) in brand.lengths and has_check_digit(number):
            return True
        # What follows a short group is no more of the number: the group ended it.
        if len(number) >= CARD_DIGITS_MAX or len(group) < GROUP_DIGITS_MIN:
            return False
    return False


def _is_card(number: str) -> bool:
    brand = _issuer(number)
    return brand is not None and len(number) in brand.lengths and has_check_digit(number)


def _issuer(number: str) -> _Brand | None:
    """The brand in whose ranges a number begins, whatever its length."""
    return _BRAND_BY_PREFIX.get(number[:_PREFIX_DIGITS])


def _reading() -> dict[int, str | None]:
    """How a character beyond ASCII is read: as a digit, as a gap, or not at all."""
    read_as: dict[int, str | None] = {}
    for code in (code for plane in _WRITTEN_IN for code in plane):
        character = chr(code)
        digit = unicodedata.digit(character, None)
        category = unicodedata.category(character)
        if digit is not None:
            read_as[code] = str(digit)
        elif category in ("Cf", "Mn", "Me"):
            read_as[code] = None
        elif category in ("Pd", "Zs", "Zl", "Zp") or code in _MORE_GAPS:
            read_as[code] = " "
    return read_as


_READ_AS: Final = _reading()
