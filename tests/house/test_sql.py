"""SQL is spoken in models, vault and runtime; transactions end in one place."""

import ast
import re
from collections.abc import Iterator

from tests.house.test_purity import dotted
from tests.house.tree import Source, breaks, faults, product

SPEAKERS = ("models", "vault", "runtime")
# A migration is run inside the transaction of models.migrate or vault.migrate.
COMMITTERS = ("runtime",)
_SQL = re.compile(
    r"\s*(SELECT\s+(.*\bFROM\b|[\d'(]|pg_)|INSERT\s+INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s"
    r"|WITH\s+\w+\s+AS\s*\(|CREATE\s+(TABLE|INDEX)|ALTER\s+TABLE|DROP\s+TABLE|TRUNCATE\s)",
    re.IGNORECASE | re.DOTALL,
)
_ENDING = re.compile(r"\s*(COMMIT|ROLLBACK|BEGIN|START TRANSACTION)\b\s*(;|\Z|WORK|TO|PREPARED)")
_ENDING_CALLS = ("commit", "rollback")


def literals(source: Source) -> Iterator[ast.Constant]:
    """Every text or bytes literal."""
    for node in source.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            yield node


def text_of(literal: ast.Constant) -> str:
    value = literal.value
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def foreign_sql(source: Source) -> Iterator[str]:
    if source.package not in SPEAKERS:
        for literal in literals(source):
            if _SQL.match(text_of(literal)):
                yield f"{source.place(literal)} speaks SQL"


def foreign_commits(source: Source) -> Iterator[str]:
    if source.package in COMMITTERS:
        return
    for literal in literals(source):
        if _ENDING.match(text_of(literal)):
            yield f"{source.place(literal)} ends a transaction by itself"
    for node in source.nodes:
        if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in _ENDING_CALLS:
            yield f"{source.place(node)} ends a transaction by itself"


def test_sql_is_spoken_in_three_places() -> None:
    for text in (
        "x = 'SELECT id FROM payments'",
        "x = b'insert into payments values (1)'",
        "x = 'UPDATE payments SET amount = 1'",
        "x = '''\\n DELETE FROM payments'''",
        "x = f'SELECT 1{y}'",
    ):
        assert breaks(foreign_sql, text, "flows/example.py"), text
        assert not breaks(foreign_sql, text, "models/example.py")
    assert not breaks(foreign_sql, "x = 'Select a card to pay with.'", "flows/example.py")
    assert faults(foreign_sql, product()) == []


def test_transactions_end_in_one_place() -> None:
    for text in ("connection.commit()", "await c.rollback()", "run('COMMIT')", "run(b'ROLLBACK')"):
        assert breaks(foreign_commits, text, "models/example.py"), text
        assert not breaks(foreign_commits, text, "runtime/example.py")
    assert faults(foreign_commits, product()) == []
