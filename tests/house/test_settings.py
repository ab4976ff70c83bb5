"""Every variable of the environment that the code reads is explained, and no other is."""

import re

from tests.house.tree import ROOT, sources

FEWEST_VARIABLES = 30
_NAME = re.compile(r"\b(?:PAYMINT_[A-Z_]+[A-Z]|(?:[A-Z]+_)*(?:DATABASE|REDIS)_URL)\b")
_STRING = re.compile(rf"""["']({_NAME.pattern})["']""")
_LINK = re.compile(r"\]\((docs/[\w-]+\.md)[#)]")
# Passed from the shell's part of a command to its Python part.
INTERNAL = {"PAYMINT_COMMAND_BEGAN"}


def table() -> str:
    """The README's chapter "Processes"."""
    return (ROOT / "README.md").read_text().split("\n## Processes\n")[1].split("\n## ")[0]


def explained() -> dict[str, str]:
    """The README's table and the guides that it links: name of the page and its text."""
    guides = set(_LINK.findall(table()))
    return {"README.md": table()} | {path: (ROOT / path).read_text() for path in guides}


def read() -> set[str]:
    """The variables that are named in product and scripts."""
    code = [source for source in sources() if source.package != "tests"]
    return {name for source in code for name in _STRING.findall(source.text)} - INTERNAL


def test_every_variable_is_explained() -> None:
    rows = re.compile(r"^\| (`[^|]+) \|", re.M)
    named = {
        name
        for text in explained().values()
        for row in rows.findall(text)
        for name in _NAME.findall(row)
    }
    assert len(read()) >= FEWEST_VARIABLES
    assert read() - named == set()


def test_no_page_explains_a_variable_that_nobody_reads() -> None:
    pages = {**explained(), "SECURITY.md": (ROOT / "SECURITY.md").read_text()}
    pages |= {str(path): path.read_text() for path in (ROOT / "docs").glob("*.md")}
    strange = {(path, name) for path, text in pages.items() for name in _NAME.findall(text)}
    assert {(path, name) for path, name in strange if name not in read()} == set()
