"""Time, chance and fractions stay out of the rules; tests change nothing in the product."""

import ast
import re
from collections.abc import Iterator

from tests.house.tree import Source, breaks, faults, product

# Clock and ids are handed in; money is whole minor units.
FORBIDDEN_CALLS = {
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "time.time",
    "time.monotonic",
    "uuid4",
    "uuid.uuid4",
    "uuid1",
    "uuid.uuid1",
    "float",
}
FORBIDDEN_MODULES = {"random", "secrets", "time"}
_OF_TESTS = re.compile(r"pytest|PYTEST|unittest|\b(is_|in_)?test(s|ing)?\b", re.IGNORECASE)
_TEST_SWITCHES = re.compile(r"PYTEST\w*|TESTING|IN_TESTS?|IS_TESTS?|UNITTESTS?")


def dotted(node: ast.expr) -> str:
    """`a.b.c` of a name or an attribute; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}".lstrip(".")
    return ""


def impure(source: Source) -> Iterator[str]:
    for node in source.nodes:
        if isinstance(node, ast.Call):
            name = dotted(node.func)
            if name in FORBIDDEN_CALLS or name.removeprefix("datetime.") in FORBIDDEN_CALLS:
                yield f"{source.place(node)} calls {name}"
        modules = []
        if isinstance(node, ast.Import):
            modules = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        for module in modules:
            if module.partition(".")[0] in FORBIDDEN_MODULES:
                yield f"{source.place(node)} imports {module}"


def aware_of_tests(source: Source) -> Iterator[str]:
    """A condition that asks whether this is a test, or a variable that tells."""
    for node in source.nodes:
        if isinstance(node, ast.If | ast.IfExp | ast.While):
            for part in ast.walk(node.test):
                name = part.id if isinstance(part, ast.Name) else getattr(part, "attr", "")
                if _OF_TESTS.fullmatch(name):
                    yield f"{source.place(part)} asks for {name}"
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and _TEST_SWITCHES.fullmatch(text):
            yield f"{source.place(node)} reads {text}"
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [getattr(node, "module", None) or "", *(each.name for each in node.names)]
            if {name.partition(".")[0] for name in names} & {"pytest", "unittest", "tests"}:
                yield f"{source.place(node)} imports what belongs to tests"


def test_rules_and_flows_read_no_clock_and_throw_no_dice() -> None:
    for text in (
        "datetime.now(UTC)",
        "datetime.datetime.utcnow()",
        "uuid4()",
        "uuid.uuid4()",
        "import random",
        "from random import choice",
        "float('1.5')",
        "time.time()",
    ):
        assert breaks(impure, text), text
    assert not breaks(impure, "house.clock.now()")
    assert faults(impure, product("domain", "flows")) == []


def test_the_product_does_not_know_that_it_is_tested() -> None:
    for text in (
        "if testing: pass",
        "if settings.testing: pass",
        "x = 1 if in_test else 2",
        "os.environ.get('PYTEST_CURRENT_TEST')",
        "import pytest",
        "from tests.shop import Shop",
    ):
        assert breaks(aware_of_tests, text), text
    assert not breaks(aware_of_tests, "if payment.livemode: pass")
    assert faults(aware_of_tests, product()) == []
