"""Items of a body that are judged alone, so that one that is wrong harms no other.

An array with `x-item-schema` takes any items; each is held to that schema by itself.
"""

from typing import Any, NamedTuple

import orjson

from contract.document import DocumentError, Node, resolved
from contract.shapes import Shape
from domain.refusals import Malformed

ITEM_SCHEMA = "x-item-schema"
KEY = "idempotency_key"


class Judged(NamedTuple):
    """One item of the request: its value, and why it is refused, if it is."""

    value: Any
    refusal: Malformed | None


class Items:
    """The array of a body whose items are judged alone."""

    def __init__(self, document: Node, name: str, schema: Node) -> None:
        self._name = name
        self._shape = Shape(document, schema)

    def hollow(self, body: Any) -> Any:
        """The body with nothing in the places of its items: what is checked as a whole."""
        if isinstance(body, dict) and isinstance(body.get(self._name), list):
            return {**body, self._name: [None] * len(body[self._name])}
        return body

    def judged(self, body: dict[str, Any]) -> list[Judged]:
        """Each item of a body that was checked as a whole, in order."""
        return [self._judged(value) for value in body[self._name]]

    def _judged(self, value: Any) -> Judged:
        try:
            self._shape.check(value)
        except Malformed as refusal:
            return Judged(value, refusal)
        return Judged(value, None)


def items_of(document: Node, schema: Node) -> Items | None:
    """The array with `x-item-schema` among the properties of a body; None where there is none."""
    properties = resolved(document, schema).get("properties", {})
    found = [(name, each) for name, each in properties.items() if ITEM_SCHEMA in each]
    if len(found) > 1:
        raise DocumentError("a body has at most one array whose items are judged alone")
    return Items(document, found[0][0], found[0][1][ITEM_SCHEMA]) if found else None


def canonical(item: dict[str, Any]) -> bytes:
    """The canonical JSON of an item without its key, as its digest covers it."""
    kept = {name: value for name, value in item.items() if name != KEY}
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)
