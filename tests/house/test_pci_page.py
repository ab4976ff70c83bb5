"""docs/pci.md speaks of tests that are there, and of every requirement that the code cites."""

import ast
import re
from collections.abc import Iterator

from tests.house.tree import ROOT, Source, product

PAGE = ROOT / "docs" / "pci.md"
FEWEST_REQUIREMENTS = 15
FEWEST_CITED = 8
# The rows of the blueprint's table "Compliance Requirements".
BLUEPRINT = {"1", "2", "3", "4", "6", "7", "8", "10", "11", "12"}

_NUMBER = r"\d+(?:\.\d+)+"
_NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_CITATION = re.compile(rf"\breq\.\s+((?:{_NUMBER}(?:,\s+|\s+and\s+)?)+)")


def section(title: str) -> list[list[str]]:
    """The rows of the table below a heading, cell by cell."""
    below = PAGE.read_text().split(f"## {title}\n", 1)[1].split("\n## ")[0]
    lines = [line for line in below.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def cited(text: str) -> Iterator[str]:
    """The numbers of the requirements that a text cites."""
    # A comment goes on behind the mark of its next line.
    joined = re.sub(r"\n\s*#?\s*", " ", text)
    for numbers in _CITATION.findall(joined):
        yield from re.findall(_NUMBER, numbers)


def functions(path: str) -> set[str]:
    source = Source(path, (ROOT / path).read_text())
    return {
        node.name
        for node in source.nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_citations_are_found_however_they_are_written() -> None:
    text = "(PCI DSS 4.0.1 req.\n10.2.1, 10.2.2): user. # req. 3.4, 10.3).  req. 2.2.2 and 8.6.2."
    assert list(cited(text)) == ["10.2.1", "10.2.2", "3.4", "10.3", "2.2.2", "8.6.2"]
    assert list(cited("# PCI DSS 4.0.1 req.\n    # 3.3.1: gone")) == ["3.3.1"]


def test_every_test_that_the_page_names_is_there() -> None:
    named = _NAMED_TEST.findall(PAGE.read_text())
    assert named
    missing = [f"{path}::{name}" for path, name in named if name not in functions(path)]
    assert missing == []


def test_every_requirement_of_the_first_table_names_a_test() -> None:
    rows = section("Shown by tests")
    assert len(rows) >= FEWEST_REQUIREMENTS
    assert [row[0] for row in rows if not re.match(_NUMBER, row[0])] == []
    assert [row[0] for row in rows if not _NAMED_TEST.search(row[2])] == []


def test_every_requirement_that_the_code_cites_is_on_the_page() -> None:
    shown = {number for row in section("Shown by tests") for number in re.findall(_NUMBER, row[0])}
    people = " ".join(" ".join(row) for row in section("Done by people"))
    listed = shown | set(re.findall(_NUMBER, people))
    scripts = [Source(str(path), path.read_text()) for path in (ROOT / "scripts").rglob("*.py")]
    citing = {number for source in [*product(), *scripts] for number in cited(source.text)}
    assert len(citing) >= FEWEST_CITED
    assert citing - listed == set()


def test_every_row_of_the_blueprint_has_somebody() -> None:
    rows = section("Done by people")
    assert {row[0].split()[0] for row in rows} >= BLUEPRINT
    assert [row[0] for row in rows if not row[2]] == []
