"""The tree as the house's rules see it: every Python file, parsed once.

A rule is a function from a `Source` to the faults that it finds, as text.  It is asked of the
whole tree, and first of a small source that breaks it, so that no rule can pass by seeing nothing.
"""

import ast
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = (
    "adapters",
    "contract",
    "domain",
    "flows",
    "gateway",
    "handlers",
    "models",
    "runtime",
    "vault",
    "workers",
)
PACKAGES = (*PRODUCT, "scripts", "tests")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One Python file: its path from the root, and its text."""

    path: str
    text: str

    @property
    def package(self) -> str:
        return self.path.partition("/")[0]

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the file."""
        return tuple(ast.walk(self.tree))

    @property
    def functions(self) -> list[Function]:
        """Every function and method, the inner ones too."""
        return [node for node in self.nodes if isinstance(node, Function)]

    @property
    def classes(self) -> list[ast.ClassDef]:
        return [node for node in self.nodes if isinstance(node, ast.ClassDef)]

    def place(self, node: ast.AST) -> str:
        """Where a fault stands."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}"


Rule = Callable[[Source], Iterator[str]]


@cache
def sources() -> tuple[Source, ...]:
    """Every Python file of the packages; the entry files of scripts/ are Python too."""
    found = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    found += [
        path
        for path in (ROOT / "scripts").iterdir()
        if path.is_file() and not path.suffix and "python" in path.read_text().split("\n")[0]
    ]
    return tuple(
        Source(path.relative_to(ROOT).as_posix(), path.read_text()) for path in sorted(found)
    )


def product(*packages: str) -> list[Source]:
    """Files of the product, of these packages only when some are named."""
    return [source for source in sources() if source.package in (packages or PRODUCT)]


def faults(rule: Rule, among: tuple[Source, ...] | list[Source]) -> list[str]:
    """Everything that a rule finds."""
    return [fault for source in among for fault in rule(source)]


def breaks(rule: Rule, text: str, path: str = "domain/example.py") -> bool:
    """Whether a rule finds a fault in this text."""
    return any(rule(Source(path, text)))


@cache
def text_files() -> dict[str, str]:
    """What is tracked or would be: path from the root and content of every text file."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    contents: dict[str, str] = {}
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.is_file():
            data = path.read_bytes()
            if b"\0" not in data:
                contents[name] = data.decode()
    return contents
