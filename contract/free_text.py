"""Texts that a client may fill with what it likes: no card number may stand in one.

What is no free text is told by the schema (`is_free_text`), so a field that is added to the
document is covered without anybody remembering it.  Names that the client makes up, as the
keys of `metadata`, are texts too (PCI DSS 4.0.1 req. 3.4.1, 3.5.1; contract-decisions,
"Events and webhooks").
"""

from typing import Any, Final

from contract.document import Node, resolved
from domain.card_numbers import CARD_DIGITS_MIN, has_card_number

CARD_NUMBER_IN_TEXT: Final = "card_number_in_text"
# Forms that are read and never kept as they came: a wrong one is 400 or 404, and its value is
# told to nobody.  Ids and digests have long runs of digits by chance.
OPAQUE_PATTERNS: Final = frozenset(
    {
        "^[A-Za-z0-9_]+$",
        "^[a-z]{2,3}_[0-9a-f]{32}$",
        "^pay_[0-9a-f]{32}$",
        "^pyt_[0-9a-f]{32}$",
        "^cus_[0-9a-f]{32}$",
        "^hld_[0-9a-f]{32}$",
        "^[0-9a-f]{64}$",
        "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$",
        "^crs_[A-Za-z0-9_-]+$",
        "^[a-z][a-z0-9_]*(,[a-z][a-z0-9_]*)*$",
        "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$",
    }
)
OPAQUE_FORMATS: Final = frozenset({"date-time", "uuid"})


def is_free_text(schema: Node) -> bool:
    """Whether a resolved schema takes a text that is kept and shown as the client wrote it.

    `writeOnly` marks what is kept under seal or hashed: at the vault a number belongs there.
    """
    if "string" not in schema.get("type", ()) or schema.get("writeOnly"):
        return False
    if "enum" in schema or "const" in schema or schema.get("format") in OPAQUE_FORMATS:
        return False
    if schema.get("maxLength", CARD_DIGITS_MIN) < CARD_DIGITS_MIN:
        return False
    return schema.get("pattern") not in OPAQUE_PATTERNS


class FreeText:
    """The free texts of one schema: where they stand, and how they are searched."""

    def __init__(self, document: Node, schema: Node) -> None:
        whole = resolved(document, schema)
        self._itself = is_free_text(whole)
        inside = {
            name: FreeText(document, child) for name, child in whole.get("properties", {}).items()
        }
        self._declared = frozenset(inside)
        self._fields = tuple((name, text) for name, text in inside.items() if text)
        others, items = whole.get("additionalProperties"), whole.get("items")
        self._others = FreeText(document, others) if isinstance(others, dict) else None
        self._items = FreeText(document, items) if items is not None else None

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._itself or self._fields or self._others is not None or self._items)

    def places(self, names: str = "") -> list[str]:
        """Every place of the schema where a free text stands: `metadata.*`, `[]`, `email`."""
        found = [names.removeprefix(".")] if self._itself else []
        for name, text in self._fields:
            found += text.places(f"{names}.{name}")
        if self._others is not None:
            found += self._others.places(f"{names}.*")
        return found + (self._items.places(f"{names}[]") if self._items is not None else [])

    def found_in(self, value: Any) -> tuple[str, ...] | None:
        """Where the first card number of a value that fits the schema stands; None for none.

        A name that the client made up is told only where it has less digits than a card
        number, mistyped or not; else the place is that of the object around it.
        """
        if isinstance(value, str):
            return () if self._itself and has_card_number(value) else None
        if isinstance(value, dict):
            return self._found_in_object(value)
        if isinstance(value, list) and self._items:
            for index, item in enumerate(value):
                found = self._items.found_in(item)
                if found is not None:
                    return (f"[{index}]", *found)
        return None

    def _found_in_object(self, value: dict[str, Any]) -> tuple[str, ...] | None:
        for name, text in self._fields:
            if name in value:
                found = text.found_in(value[name])
                if found is not None:
                    return (name, *found)
        if self._others is not None:
            made_up = value.keys() - self._declared if self._declared else value
            for name in made_up:
                if has_card_number(name):
                    return ()
            for name in made_up:
                found = self._others.found_in(value[name])
                if found is not None:
                    return (name, *found) if _may_be_told(name) else ()
        return None


def _may_be_told(name: str) -> bool:
    return sum(map(str.isdigit, name)) < CARD_DIGITS_MIN
