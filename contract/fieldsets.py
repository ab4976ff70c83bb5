"""Sparse fieldsets: `fields=id,amount,status` (blueprint section 3).

The names that may be asked for are the top-level properties of the operation's 200 schema,
for a list those of its items; `id` and `object` always stay, and so does a list's envelope.
"""

from collections.abc import Mapping, Set
from typing import Any, Final

from contract.document import Node, resolved
from domain.refusals import Malformed

PARAMETER: Final = "fields"
ALWAYS_SHOWN: Final = frozenset({"id", "object"})
# The array of a list's envelope.
_ITEMS: Final = "data"


def select(resource: Mapping[str, Any], names: Set[str]) -> dict[str, Any]:
    """The resource with these fields only, in its own order; it is not changed itself."""
    return {name: value for name, value in resource.items() if name in names}


class Fieldset:
    """The fields of one operation's resource, as one version of the API names them."""

    def __init__(self, names: Set[str], *, of_items: bool) -> None:
        self.names = frozenset(names)
        self._of_items = of_items

    def chosen(self, text: str) -> frozenset[str]:
        """The names in a comma-separated list, in any order and number, with those that stay.

        Raises 400 `field_unknown` for any other name, the empty one too.
        """
        names = frozenset(text.split(","))
        if not names <= self.names:
            raise Malformed("field_unknown", PARAMETER)
        return names | ALWAYS_SHOWN

    def applied(self, body: Mapping[str, Any], names: Set[str]) -> dict[str, Any]:
        """The answer with the chosen fields of its resource, or of each item of its list."""
        if not self._of_items:
            return select(body, names)
        return {**body, _ITEMS: [select(item, names) for item in body[_ITEMS]]}


def fieldset_of(document: Node, operation: Node) -> Fieldset:
    """The fieldset that an operation's 200 answer has."""
    response = resolved(document, operation["responses"]["200"])
    schema = resolved(document, response["content"]["application/json"]["schema"])
    of_items = bool(operation.get("x-paginated"))
    if of_items:
        schema = resolved(document, resolved(document, schema["properties"][_ITEMS])["items"])
    return Fieldset(_property_names(document, schema), of_items=of_items)


def _property_names(document: Node, schema: Node) -> set[str]:
    """The top-level names of a schema, of every part of it that is a choice or a union."""
    schema = resolved(document, schema)
    names = set(schema.get("properties", ()))
    for keyword in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(keyword, ()):
            names |= _property_names(document, part)
    return names
