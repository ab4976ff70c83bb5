"""Comma-separated values read back as they were written, and none of them is a formula."""

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.sheets import sheet_of
from tests.properties import SAME_EVERYWHERE

STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
SIGNS = "".join(STARTS[:4]) + "".join(STARTS[7:])
MIDDLE = re.compile(rf"([;\t\r\n])([{re.escape(SIGNS)}])")
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


@pytest.mark.parametrize("separator", [";", "\t", "\r", "\n", "\r\n"])
@pytest.mark.parametrize("sign", [start for start in STARTS if start not in "\t\r\n"])
def test_so_is_one_that_begins_where_another_separator_ends_a_cell(
    separator: str, sign: str
) -> None:
    sheet = sheet_of(["x", "y"], [[f"a{separator}{sign}1+1{separator}b", 1]]).text.decode()
    # Split as a spreadsheet does that separates by something else: no quotation mark counts.
    cells = re.split(r"[;\t\r\n]+", sheet)
    assert f"'{sign}1+1" in cells
    assert not [cell for cell in cells if cell.startswith(STARTS)]


@SAME_EVERYWHERE
@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=5))
def test_every_cell_reads_back(rows: list[list[str | int | None]]) -> None:
    found = read(sheet_of(["a", "b"], rows).text)[1:]
    assert found == [[expected(cell) for cell in row] for row in rows]


def expected(cell: str | int | None) -> str:
    if cell is None:
        return ""
    text = str(cell)
    if isinstance(cell, int):
        return text
    marked = f"'{text}" if text.startswith(STARTS) else text
    return MIDDLE.sub(lambda found: f"{found[1]}'{found[2]}", marked)
