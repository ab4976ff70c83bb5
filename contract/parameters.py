"""The query string of an operation: read by our own rules, then checked as one object."""

import re
from typing import Any
from urllib.parse import unquote_to_bytes

from contract.document import DocumentError, Node, resolved
from contract.shapes import Shape
from domain.refusals import Malformed

# Plain decimal, within 64 bits; Python's int() would take "+5", "1_0" and other alphabets.
_PLAIN_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})", re.ASCII)
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
# The code `parameters_exclusive` names these two.
EXCLUSIVE = ("starting_after", "ending_before")
KNOWN_HEADERS = ("Idempotency-Key", "If-Match", "If-None-Match", "Paymint-Version")


class Parameters:
    """The query parameters of one operation; path ids are left to the handlers' 404.

    `headers` are the names of the headers it declares, `query` those of its parameters.  With
    `open_to_others` a parameter that is not declared says nothing (RFC 6749 section 3.1).
    """

    def __init__(
        self, document: Node, declared: tuple[Node, ...], *, open_to_others: bool = False
    ) -> None:
        query = [each for each in declared if each["in"] == "query"]
        self.query = frozenset(each["name"] for each in query)
        self.path = tuple(each["name"] for each in declared if each["in"] == "path")
        self.headers = frozenset(each["name"] for each in declared if each["in"] == "header")
        _refuse_unread(declared)
        schemas = {each["name"]: resolved(document, each["schema"]) for each in query}
        self._schemas = schemas
        self._open = open_to_others
        self._integers = frozenset(n for n, s in schemas.items() if s.get("type") == "integer")
        self._defaults = {n: s["default"] for n, s in schemas.items() if "default" in s}
        self._may_be_empty = not any(each.get("required") for each in query)
        self._shape = Shape(
            document,
            {
                "type": "object",
                "additionalProperties": False,
                "required": [each["name"] for each in query if each.get("required")],
                "properties": {each["name"]: each["schema"] for each in query},
            },
        )

    def read_query(self, query_string: bytes) -> dict[str, Any]:
        """Values by name, defaults filled in; raises Malformed."""
        if not query_string and self._may_be_empty:
            return dict(self._defaults)
        given = self._given(query_string) if query_string else {}
        self._shape.check(given)
        if EXCLUSIVE[0] in given and EXCLUSIVE[1] in given:
            raise Malformed("parameters_exclusive")
        return {**self._defaults, **given}

    def _given(self, query_string: bytes) -> dict[str, Any]:
        given: dict[str, Any] = {}
        repeated: set[str] = set()
        for pair in _text(query_string).split("&"):
            name, _, value = pair.partition("=")
            name = _decoded(name)
            if name in given:
                repeated.add(name)
            given[name] = self._coerced(name, _decoded(value))
        others = given.keys() - self._schemas.keys()
        if others and not self._open:
            raise Malformed("parameter_unknown")
        for name in self._schemas:
            if name in repeated:
                raise Malformed("parameter_duplicated", name)
        for name in others:
            del given[name]
        return given

    def _coerced(self, name: str, text: str) -> str | int:
        if name in self._integers and _PLAIN_INTEGER.fullmatch(text):
            return int(text)
        return text


def _refuse_unread(declared: tuple[Node, ...]) -> None:
    """A header or cookie that nobody reads would be a promise without a check."""
    for each in declared:
        if each["in"] not in ("query", "path") and each["name"] not in KNOWN_HEADERS:
            raise DocumentError(f"no code reads the {each['in']} parameter {each['name']}")


def _text(query_string: bytes) -> str:
    try:
        return query_string.decode("ascii")
    except UnicodeDecodeError:
        raise Malformed("query_malformed") from None


def _decoded(text: str) -> str:
    if "%" not in text and "+" not in text:
        return text
    if _BROKEN_ESCAPE.search(text):
        raise Malformed("query_malformed")
    try:
        decoded = unquote_to_bytes(text.replace("+", " ")).decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("query_malformed") from None
    if "\x00" in decoded:
        raise Malformed("query_malformed")
    return decoded
