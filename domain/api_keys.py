"""API keys: `sk_test_...`, `pk_live_...`, `sk_platform_...`.

After the prefix stand only letters and digits: the merchant's id (so that the look-up
stays on one shard), the key's id, and a secret of more than 160 random bits, each in
base 62 of fixed width (contract-decisions, "Identity").
"""

import string
from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

Kind = Literal["secret", "publishable", "platform"]

_DIGITS: Final = string.digits + string.ascii_letters
_VALUES: Final = {digit: value for value, digit in enumerate(_DIGITS)}
_ID_WIDTH: Final = 22
SECRET_BYTES: Final = 21
_SECRET_WIDTH: Final = 29
_BODY_WIDTH: Final = 2 * _ID_WIDTH + _SECRET_WIDTH
_SHOWN_END: Final = 4
_NOBODY: Final = UUID(int=0)

_PREFIXES: Final[dict[str, tuple[Kind, bool]]] = {
    "sk_live_": ("secret", True),
    "sk_test_": ("secret", False),
    "pk_live_": ("publishable", True),
    "pk_test_": ("publishable", False),
    "sk_platform_": ("platform", False),
}
_PREFIX_OF: Final = {meaning: prefix for prefix, meaning in _PREFIXES.items()}


@dataclass(frozen=True, slots=True)
class ParsedKey:
    """What a key says of itself; nothing of it is proven yet."""

    kind: Kind
    livemode: bool
    merchant_id: UUID
    key_id: UUID


def compose(parsed: ParsedKey, secret: bytes) -> str:
    """The text of a key; `secret` is SECRET_BYTES random bytes."""
    prefix = _PREFIX_OF[parsed.kind, parsed.livemode]
    return (
        prefix
        + _encode(parsed.merchant_id.int, _ID_WIDTH)
        + _encode(parsed.key_id.int, _ID_WIDTH)
        + _encode(int.from_bytes(secret, "big"), _SECRET_WIDTH)
    )


def compose_platform(key_id: UUID, secret: bytes) -> str:
    """The text of an operator's key, which belongs to no merchant."""
    return compose(ParsedKey("platform", False, _NOBODY, key_id), secret)


def parse(text: str) -> ParsedKey | None:
    """Read a key's public part; None when it does not have the form of a key."""
    prefix = next((prefix for prefix in _PREFIXES if text.startswith(prefix)), None)
    if prefix is None:
        return None
    kind, livemode = _PREFIXES[prefix]
    body = text[len(prefix) :]
    if len(body) != _BODY_WIDTH or any(digit not in _VALUES for digit in body):
        return None
    merchant, key = _decode(body[:_ID_WIDTH]), _decode(body[_ID_WIDTH : 2 * _ID_WIDTH])
    if merchant >> 128 or key >> 128:
        return None
    return ParsedKey(kind, livemode, UUID(int=merchant), UUID(int=key))


def display(text: str) -> str:
    """All that may be written down of a key: its prefix and last four (`sk_live_...1a2b`)."""
    prefix = next((prefix for prefix in _PREFIXES if text.startswith(prefix)), "")
    return f"{prefix}...{text[-_SHOWN_END:]}"


def _encode(value: int, width: int) -> str:
    digits = []
    for _ in range(width):
        value, digit = divmod(value, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


def _decode(text: str) -> int:
    value = 0
    for digit in text:
        value = value * len(_DIGITS) + _VALUES[digit]
    return value
