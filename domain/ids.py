"""Public ids: `<prefix>_<32 lowercase hex digits of a UUIDv7>`.

The database holds the native UUID; the prefix lives at the boundary
(contract-decisions, "Shape").
"""

import re
from typing import Final, Literal
from uuid import UUID

Prefix = Literal[
    "mch",
    "pay",
    "ref",
    "cus",
    "pm",
    "tok",
    "dsp",
    "hld",
    "evt",
    "btx",
    "pyt",
    "whe",
    "dlv",
    "key",
    "req",
    "clk",
    "alr",
    "clt",
    "grt",
    "usr",
    "ses",
]

_HEX_DIGITS: Final = re.compile(r"[0-9a-f]{32}")


def to_text(prefix: Prefix, identifier: UUID) -> str:
    """The id as a merchant sees it."""
    return f"{prefix}_{identifier.hex}"


def from_text(prefix: Prefix, text: str) -> UUID | None:
    """The UUID behind a public id, or None when `text` is not an id of this kind."""
    start = len(prefix) + 1
    digits = text[start:]
    if text[:start] != prefix + "_" or not _HEX_DIGITS.fullmatch(digits):
        return None
    return UUID(int=int(digits, 16))


def object_uuid(text: str) -> UUID:
    """The UUID behind an id of any kind, whose form the document has checked."""
    return UUID(hex=text.rpartition("_")[2])
