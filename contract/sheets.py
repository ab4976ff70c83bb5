"""Answers that are comma-separated values, beside JSON: RFC 4180, safe to open in a spreadsheet."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

CSV: Final = "text/csv"
CONTENT_TYPE: Final = (b"content-type", b"text/csv; charset=utf-8")
# What a spreadsheet may take for the beginning of a formula (OWASP, "CSV Injection"), the
# full-width forms too.
_SIGNS: Final = "=+@\uff1d\uff0b\uff0d\uff20\\-"
# Also behind what ends a cell where a spreadsheet separates by semicolons or tabs, as it does
# in half of Europe: then it heeds no quotation marks in the middle of a line.
_BEGINS_FORMULA: Final = re.compile(f"^(?=[{_SIGNS}\t\r\n])|(?<=[;\t\r\n])(?=[{_SIGNS}])")
_NEEDS_QUOTES: Final = (",", '"', "\r", "\n", "'")

Cell = str | int | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """The bytes of a page of values."""

    text: bytes


def sheet_of(columns: Iterable[str], rows: Iterable[Iterable[Cell]]) -> Sheet:
    """A head and rows, each ended by CRLF; None is an empty cell.

    What a spreadsheet could take for a formula gets an apostrophe before it; numbers are
    numbers, negative ones too.
    """
    lines = [",".join(columns), *(",".join(map(_cell, row)) for row in rows)]
    return Sheet("".join(f"{line}\r\n" for line in lines).encode())


def _cell(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return str(value)
    text = _BEGINS_FORMULA.sub("'", value)
    if any(each in text for each in _NEEDS_QUOTES):
        doubled = text.replace('"', '""')
        return f'"{doubled}"'
    return text
