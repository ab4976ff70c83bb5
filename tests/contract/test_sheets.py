"""Comma-separated values read back as they were written, and none of them is a formula."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.sheets import sheet_of

STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
FORMULAS = [f"{start}1+1" for start in STARTS]
CELLS = st.one_of(st.text(max_size=20), st.sampled_from(FORMULAS), st.integers(), st.none())


def read(text: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.decode(), newline="")))


def test_a_sheet_is_rfc_4180() -> None:
    sheet = sheet_of(["name", "amount"], [["a, b", -2500], ['say "x"', 0], [None, 1]])
    assert sheet.text == b'name,amount\r\n"a, b",-2500\r\n"say ""x""",0\r\n,1\r\n'


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_defused(text: str) -> None:
    (_, (found,)) = read(sheet_of(["x"], [[text]]).text)
    assert found == "'" + text


@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=5))
def test_every_cell_reads_back(rows: list[list[str | int | None]]) -> None:
    found = read(sheet_of(["a", "b"], rows).text)[1:]
    assert found == [[expected(cell) for cell in row] for row in rows]


def expected(cell: str | int | None) -> str:
    if cell is None:
        return ""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(STARTS) else str(cell)
