"""Blueprint section 4, "Scope Matrix", cell by cell, against the document's `security`.

That the servers do what the document says is shown over HTTP by
tests/tenancy/test_scope_matrix.py; together they hold the printed table to the product.
"""

from typing import Any

import pytest

from tests.document import DOCUMENT

PRINTED = """
| Scope | Payments | Refunds | Disputes | Customers | Payment Methods | Merchants |
|---|---|---|---|---|---|---|
| `payments:read` | R | — | — | — | — | — |
| `payments:write` | RW | — | — | — | — | — |
| `refunds:write` | — | RW | — | — | — | — |
| `disputes:read` | — | — | R | — | — | — |
| `disputes:write` | — | — | RW | — | — | — |
| `customers:read` | — | — | — | R | R | — |
| `customers:write` | — | — | — | RW | RW | — |
| `merchant:admin` | RW | RW | RW | RW | RW | RW |
"""
# "refunds are read with refunds:write or payments:read" (contract-decisions, "Identity").
SETTLED = {("payments:read", "Refunds"): "R", ("payments:write", "Refunds"): "R"}
# What only the operator may ask is in no merchant's column.
OPERATORS = "platform:admin"
GRANTS: dict[str, list[str]] = DOCUMENT["components"]["securitySchemes"]["SecretKey"][
    "x-scope-grants"
]
Operation = dict[str, Any]


def rows() -> list[list[str]]:
    lines = [line for line in PRINTED.strip().splitlines() if not line.startswith("|---")]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]


HEADING, *BODY = rows()
CELLS = [
    (line[0], column, SETTLED.get((line[0], column), cell))
    for line in BODY
    for column, cell in zip(HEADING[1:], line[1:], strict=True)
]


def held(scope: str) -> set[str]:
    """The scope and all that it grants, through any number of grants."""
    found = {scope}
    while more := {granted for each in found for granted in GRANTS[each]} - found:
        found |= more
    return found


def alternatives(operation: Operation) -> list[set[str]]:
    """What a secret key needs, each way by itself."""
    return [set(each["SecretKey"]) for each in operation["security"] if "SecretKey" in each]


def operations(column: str) -> list[tuple[str, Operation]]:
    """(method, operation) of every operation of a column that a merchant may ask."""
    tag = column.lower().replace(" ", "_")
    return [
        (method, node)
        for item in DOCUMENT["paths"].values()
        for method, node in item.items()
        if isinstance(node, dict)
        and tag in node.get("tags", ())
        and any(OPERATORS not in needed for needed in alternatives(node))
    ]


@pytest.mark.parametrize(("scope", "column", "cell"), CELLS)
def test_a_cell_of_the_matrix(scope: str, column: str, cell: str) -> None:
    asked = operations(column)
    assert asked
    for method, operation in asked:
        admitted = any(needed <= held(scope) for needed in alternatives(operation))
        wanted = cell == "RW" or (cell == "R" and method == "get")
        assert admitted == wanted, operation["operationId"]


def test_the_matrix_is_whole() -> None:
    """Every scope that a key can have is a line, or is settled beside the blueprint."""
    keys = set(DOCUMENT["components"]["schemas"]["ApiKeyScope"]["enum"])
    assert {line[0] for line in BODY} <= keys
    assert keys - {line[0] for line in BODY} <= {"balance:read"}
    assert set(HEADING[1:]) == {column for _, column, _ in CELLS}


def test_the_operators_scope_stands_apart() -> None:
    """`platform:admin` grants nothing, and nothing grants it."""
    assert GRANTS[OPERATORS] == []
    assert not any(OPERATORS in granted for granted in GRANTS.values())
