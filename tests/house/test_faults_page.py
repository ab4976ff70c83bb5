"""docs/faults.md names tests that are there, each file of tests/faults and each kind of fault."""

import re
from typing import get_args

from scripts.storm.faults import Kind
from tests.house.test_threats import TEST, functions
from tests.house.tree import ROOT

PAGE = (ROOT / "docs" / "faults.md").read_text()
ROW = re.compile(r"^\| (?!fault \||---)(.+) \| (.+) \| (.+) \|$", re.M)
FEWEST_ROWS = 20


def test_every_row_names_tests_that_are_there() -> None:
    rows = ROW.findall(PAGE.split("### Not broken yet")[0])
    assert len(rows) >= FEWEST_ROWS
    for fault, held, named in rows:
        found = TEST.findall(named)
        assert held and found, fault
        assert TEST.sub("", named).replace(",", "").strip() == "", fault
        for path, name in found:
            assert (ROOT / path).is_file(), f"{fault}: {path}"
            assert name in functions(path), f"{fault}: {path}::{name}"


def test_every_file_that_breaks_something_is_named() -> None:
    named = {path for path, _ in TEST.findall(PAGE)}
    files = {str(file.relative_to(ROOT)) for file in (ROOT / "tests/faults").glob("test_*.py")}
    assert files - named == set()


def test_every_kind_of_fault_is_told() -> None:
    told = set(re.findall(r"^\| `(\w+)`: ", PAGE, re.M))
    assert told == set(get_args(Kind))
