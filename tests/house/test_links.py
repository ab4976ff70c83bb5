"""Documents lead somewhere: links, anchors, paths that are named, lists of pages."""

import re
from functools import cache
from pathlib import Path, PurePosixPath
from posixpath import normpath

from tests.house.tree import ROOT, text_files

FEWEST_LINKS = 150
FEWEST_PATHS = 60
LONGEST_DECISION = 60
_FENCE = re.compile(r"^```.*?^```[^\n]*$", re.M | re.S)
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.M)
_FOLDERS = (
    "adapters|contract|docs|domain|flows|gateway|generated|handlers|models|requirements|runtime"
    "|scripts|tests|vault|workers"
)
_PATH = re.compile(rf"`((?:{_FOLDERS})/[\w./-]*)`")


@cache
def pages() -> dict[str, str]:
    """Every tracked page, without its blocks of code."""
    return {
        path: _FENCE.sub("", text) for path, text in text_files().items() if path.endswith(".md")
    }


def anchor(heading: str) -> str:
    """The anchor that a heading gets: its words in lower case, joined by hyphens."""
    shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    return re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")


def dead_links(path: str, text: str) -> list[str]:
    """The links of a page that lead to no file, or to no heading of it."""
    dead = []
    for link in _LINK.findall(text):
        target, _, part = link.partition("#")
        if "://" in link or link.startswith("mailto:"):
            continue
        place = normpath(PurePosixPath(path).parent / target) if target else path
        headings = [anchor(found) for found in _HEADING.findall(pages().get(place, ""))]
        if not (ROOT / place).exists() or (part and part not in headings):
            dead.append(f"{path}: {link}")
    return dead


def missing_paths(path: str, text: str) -> list[str]:
    """What a page names as a file or folder of the tree and is none, with or without `.py`."""
    return [
        f"{path}: {name}"
        for name in _PATH.findall(text)
        if not (ROOT / name).exists()
        and not (ROOT / f"{name.rpartition('.')[0]}.py").exists()
        and not (ROOT / f"{name}.py").exists()
    ]


def test_the_rules_can_fail() -> None:
    assert dead_links("README.md", "[x](docs/none.md) [y](docs/errors.md#none)") != []
    assert dead_links("README.md", "[x](docs/errors.md#headers-of-refusals)") == []
    assert dead_links("docs/errors.md", "[x](#headers-of-refusals) [y](../README.md)") == []
    assert missing_paths("README.md", "`docs/none.md`") == ["README.md: docs/none.md"]
    assert missing_paths("README.md", "`domain/moments.is_moment`, `tests/house`") == []


def test_every_link_of_a_page_leads_somewhere() -> None:
    links = [link for text in pages().values() for link in _LINK.findall(text)]
    assert len(links) > FEWEST_LINKS
    assert [dead for path, text in pages().items() for dead in dead_links(path, text)] == []


def test_every_path_that_a_page_names_is_there() -> None:
    named = [name for text in pages().values() for name in _PATH.findall(text)]
    assert len(named) > FEWEST_PATHS
    assert [gone for path, text in pages().items() for gone in missing_paths(path, text)] == []


def test_the_decisions_are_listed_in_order_and_short() -> None:
    folder = ROOT / "docs" / "decisions"
    written = sorted(path.name for path in folder.glob("[0-9]*.md"))
    listed = re.findall(r"^\| \[\d{4}\]\(([^)]+)\)", (folder / "README.md").read_text(), re.M)
    assert listed == written
    assert [int(name[:4]) for name in written] == list(range(1, len(written) + 1))
    lines = {name: len((folder / name).read_text().splitlines()) for name in written}
    assert {name: count for name, count in lines.items() if count > LONGEST_DECISION} == {}


def test_every_guide_is_in_the_index() -> None:
    guides = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    index = (ROOT / "docs" / "README.md").read_text()
    assert guides - set(_LINK.findall(index)) == set()


def test_the_map_of_the_readme_names_every_folder() -> None:
    readme = (ROOT / "README.md").read_text()
    firsts = re.findall(r"^\| (`[\w.]+/`(?:, `[\w.]+/`)*) \|", readme, re.M)
    mapped = set(re.findall(r"`([\w.]+)/`", " ".join(firsts)))
    tracked = {Path(path).parts[0] for path in text_files() if "/" in path}
    assert tracked - mapped == set()
    assert mapped - tracked == set()
