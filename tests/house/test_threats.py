"""docs/threats.md names tests that are there, and every test of tests/attacks is named."""

import ast
import re

from tests.house.tree import ROOT

PAGE = (ROOT / "docs" / "threats.md").read_text()
ROW = re.compile(r"^\| (?!attack \||---)(.+) \| (.+) \|$", re.M)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
FEWEST_ROWS = 130
# Tests that stand beside those which send an attack: that good requests pass, that the tables
# of a file are whole, that nothing was left behind, that certificates are renewed.
ASIDE = re.compile(
    r"nothing_of_it|pass|every_text|the_schema_answers|no_version|escaped_digit"
    r"|slow_network|operator_names|old_client|announced_body|modern_ciphers|1_3_is_preferred"
    r"|payment_over_tls|printed_lines|without_a_restart|authority_outlives|launcher_renews"
)


def functions(path: str) -> set[str]:
    """The tests of one file."""
    tree = ast.parse((ROOT / path).read_text())
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_row_names_tests_that_are_there() -> None:
    rows = ROW.findall(PAGE.split("## Not tested")[0])
    assert len(rows) >= FEWEST_ROWS
    for attack, named in rows:
        found = TEST.findall(named)
        assert found, attack
        assert TEST.sub("", named).replace(",", "").strip() == "", attack
        for path, name in found:
            assert (ROOT / path).is_file(), f"{attack}: {path}"
            assert name in functions(path), f"{attack}: {path}::{name}"


def test_every_test_that_sends_an_attack_is_named() -> None:
    named = set(TEST.findall(PAGE))
    for file in sorted((ROOT / "tests" / "attacks").rglob("test_*.py")):
        path = str(file.relative_to(ROOT))
        unnamed = {name for name in functions(path) if (path, name) not in named}
        assert {name for name in unnamed if not ASIDE.search(name)} == set(), path
