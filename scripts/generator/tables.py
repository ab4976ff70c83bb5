"""The error catalogue, the table of operations and the samples of objects, as Python."""

from collections.abc import Iterator
from pprint import pformat
from typing import Any

Node = dict[str, Any]
METHODS = ("get", "post", "put", "patch", "delete")

ERROR_CODES = '''"""The error catalogue: code, HTTP status, type and message."""

from typing import Final, NamedTuple


class ErrorCode(NamedTuple):
    """One row: `message` has the placeholders that the document names."""

    status: int
    type: str
    message: str


CATALOGUE: Final[dict[str, ErrorCode]] = {
'''
OPERATIONS = '''"""The operations of the document, in its order."""

from typing import Final, NamedTuple


class OperationRow(NamedTuple):
    """One operation: `scopes` are alternatives, each a tuple of what it needs together."""

    operation_id: str
    method: str
    path: str
    tag: str
    house: str
    scopes: tuple[tuple[str, ...], ...]
    idempotency: str


OPERATIONS: Final[tuple[OperationRow, ...]] = (
'''
SAMPLES = '''"""The document's first example of each kind of object that an event can be about."""

from typing import Any, Final

SAMPLES: Final[dict[str, dict[str, Any]]] = '''


def render_error_codes(document: Node) -> str:
    """The source of generated/error_codes.py."""
    rows = [
        f"    {code!r}: ErrorCode(\n"
        f"        {entry['status']!r}, {entry['type']!r},\n"
        f"        {entry['message']!r},\n"
        f"    ),\n"
        for code, entry in document["x-error-catalogue"].items()
    ]
    return ERROR_CODES + "".join(rows) + "}\n"


def render_operations(document: Node) -> str:
    """The source of generated/operations.py."""
    rows = [
        "    OperationRow(\n" + "".join(f"        {field!r},\n" for field in row) + "    ),\n"
        for row in _operation_rows(document)
    ]
    return OPERATIONS + "".join(rows) + ")\n"


def render_samples(document: Node) -> str:
    """The source of generated/samples.py."""
    schemas = document["components"]["schemas"]
    kinds = schemas["EventObject"]["discriminator"]["mapping"]
    samples = {
        kind: schemas[reference.rpartition("/")[2]]["examples"][0]
        for kind, reference in kinds.items()
    }
    return SAMPLES + pformat(samples, sort_dicts=False, width=98) + "\n"


def _operation_rows(document: Node) -> Iterator[tuple[object, ...]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield _operation_row(path, method, item[method])


def _operation_row(path: str, method: str, operation: Node) -> tuple[object, ...]:
    # Keys and access tokens need the same as a rule; it is named once.
    alternatives = tuple(
        dict.fromkeys(
            tuple(scope for scopes in alternative.values() for scope in scopes)
            for alternative in operation["security"]
        )
    )
    return (
        operation["operationId"],
        method.upper(),
        path,
        operation["tags"][0],
        operation["x-house"],
        alternatives,
        operation["x-idempotency"],
    )
