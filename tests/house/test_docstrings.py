"""Every public module, class and function of the product says what it is."""

import ast
from collections.abc import Iterator
from pathlib import PurePosixPath

from tests.house.tree import Function, Source, breaks, faults, product

# Handlers are one function per operation: the document describes them.  A migration's two
# functions are Alembic's names for the same two things everywhere.  A step of the pipeline is
# a file with one function, `bind`: the file's docstring tells what the step does.
DESCRIBED_ELSEWHERE = (
    "handlers/",
    "models/migrations/",
    "vault/migrations/",
    "gateway/steps/",
)


def undocumented(source: Source) -> Iterator[str]:
    if not ast.get_docstring(source.tree) and PurePosixPath(source.path).name != "__init__.py":
        yield f"{source.path} has no docstring"
    if source.path.startswith(DESCRIBED_ELSEWHERE):
        return
    for node in source.tree.body:
        if not isinstance(node, Function | ast.ClassDef) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node):
            yield f"{source.place(node)} {node.name} has no docstring"


def test_what_is_public_is_described() -> None:
    for text in ("x = 1", '"""M."""\ndef f(): ...', '"""M."""\nclass C: ...'):
        assert breaks(undocumented, text), text
    assert not breaks(undocumented, '"""M."""\ndef _f(): ...')
    assert not breaks(undocumented, '"""M."""\ndef retrieve(): ...', "handlers/payments.py")
    assert faults(undocumented, product()) == []
