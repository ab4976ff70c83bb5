"""From a value that breaks a request schema to the one refusal that answers it.

The first fault is found by walking schema and value together, in this order: the type,
unknown fields, missing fields, the field's own rules, then what is inside, as the document
lists it.  jsonschema-rs could list all faults, but each carries a copy of the value: a
body of 256 kB with 20,000 faults would take gigabytes.  The refusal names a parameter of
the document, never what the caller made up, and no value but a three-letter currency.
"""

from collections.abc import Callable, Iterator
from typing import Any

import jsonschema_rs

from contract.document import DocumentError, Node, resolved
from domain.currencies import smallest_unit
from domain.moments import is_moment
from domain.refusals import Malformed

# The code of a failing keyword where the schema has no `x-error-code` for it.
KEYWORD_CODES = {
    "required": "parameter_missing",
    "type": "parameter_invalid_type",
    "enum": "parameter_invalid_enum",
    "const": "parameter_invalid_enum",
    "format": "parameter_invalid_format",
    "pattern": "parameter_invalid_format",
    "propertyNames": "parameter_invalid_format",
    "minLength": "parameter_too_short",
    "maxLength": "parameter_too_long",
    "minimum": "parameter_too_small",
    "maximum": "parameter_too_large",
    "minItems": "parameter_too_few_items",
    "maxItems": "parameter_too_many_items",
    "maxProperties": "parameter_too_many_items",
}
# The rules of a value that do not look inside it, in the order in which they answer.
OWN_KEYWORDS = (
    *("type", "enum", "const", "minLength", "maxLength", "minimum", "maximum", "minItems"),
    *("maxItems", "maxProperties", "uniqueItems", "format", "pattern"),
)
INNER_KEYWORDS = ("required", "properties", "additionalProperties", "items", "propertyNames")
ANNOTATIONS = ("description", "examples", "default", "writeOnly", "x-error-code", "x-item-schema")
MINIMUM_KEYWORDS = ("minLength", "minimum", "minItems")
MAXIMUM_KEYWORDS = ("maxLength", "maximum", "maxItems", "maxProperties")
CURRENCY_CODE_LENGTH = 3
Formats = dict[str, Callable[[str], bool]]
# What a request's date-time must be is what we can read, not all that a validator lets pass.
REQUEST_FORMATS: Formats = {"date-time": is_moment}


class Part:
    """One schema of a request, with the parts inside it.

    Raises DocumentError for a keyword whose failure no refusal could name.
    """

    def __init__(self, document: Node, schema: Node) -> None:
        whole = resolved(document, schema)
        strange = whole.keys() - {*OWN_KEYWORDS, *INNER_KEYWORDS, *ANNOTATIONS}
        if strange:
            raise DocumentError(f"request schemas cannot use {', '.join(sorted(strange))}")
        self._schema = whole
        own = {keyword: whole[keyword] for keyword in OWN_KEYWORDS if keyword in whole}
        self._own = jsonschema_rs.Draft202012Validator(
            own, validate_formats=True, formats=REQUEST_FORMATS, mask="[masked]"
        )
        self._properties = {
            name: Part(document, child) for name, child in whole.get("properties", {}).items()
        }
        others = whole.get("additionalProperties")
        self._closed = others is False
        self._others = Part(document, others) if isinstance(others, dict) else None
        self._items = Part(document, whole["items"]) if "items" in whole else None
        names = whole.get("propertyNames")
        self._names = Part(document, names) if names is not None else None

    def first_refusal(self, value: Any, names: tuple[str, ...] = ()) -> Malformed | None:
        """The refusal for the first fault of `value`, which stands at `names`; None for none."""
        if isinstance(value, dict) and "object" in self._schema.get("type", ()):
            fault = self._unknown_or_missing(value, names)
            if fault is not None:
                return fault
        keywords = {error.kind.name for error in self._own.iter_errors(value)}
        for keyword in OWN_KEYWORDS:
            if keyword in keywords:
                return self._refusal(keyword, names, value)
        return next(self._refusals_inside(value, names), None)

    def _unknown_or_missing(
        self, value: dict[str, Any], names: tuple[str, ...]
    ) -> Malformed | None:
        if self._closed and not value.keys() <= self._properties.keys():
            return Malformed("parameter_unknown", param_of(names))
        required = self._schema.get("required", ())
        for name in self._properties:
            if name in required and name not in value:
                return self._refusal("required", (*names, name), value)
        return None

    def _refusals_inside(self, value: Any, names: tuple[str, ...]) -> Iterator[Malformed]:
        if isinstance(value, list) and self._items is not None:
            for index, item in enumerate(value):
                yield from _some(self._items.first_refusal(item, (*names, f"[{index}]")))
        if not isinstance(value, dict):
            return
        for name, part in self._properties.items():
            if name in value:
                refusal = part.first_refusal(value[name], (*names, name))
                if refusal is not None and refusal.code == "amount_too_small":
                    refusal.values["unit"] = smallest_unit(value.get("currency"))
                yield from _some(refusal)
        # The caller chose these names, so they are not told: the fault is the whole field's,
        # and its message speaks of `metadata.*`.
        for name in (name for name in value if name not in self._properties):
            if self._names is not None and self._names.first_refusal(name) is not None:
                yield self._refusal("propertyNames", names, value)
            if self._others is not None:
                refusal = self._others.first_refusal(value[name], names)
                if refusal is not None:
                    refusal.values.setdefault("param", f"{param_of(names)}.*")
                yield from _some(refusal)

    def _refusal(self, keyword: str, names: tuple[str, ...], value: Any) -> Malformed:
        schema, param = self._schema, param_of(names)
        default = KEYWORD_CODES.get(keyword, "parameter_invalid")
        code = schema.get("x-error-code", {}).get(keyword, default)
        if code == "invalid_currency":
            return _currency_refusal(param, value)
        if keyword == "type" and code == default:
            return Malformed(code, param, expected=_type_name(schema["type"]))
        if keyword in MINIMUM_KEYWORDS:
            return Malformed(code, param, minimum=schema[keyword])
        if keyword in MAXIMUM_KEYWORDS:
            return Malformed(code, param, maximum=schema[keyword])
        return Malformed(code, param)


def _some(refusal: Malformed | None) -> tuple[Malformed, ...]:
    return () if refusal is None else (refusal,)


def param_of(names: tuple[str, ...]) -> str | None:
    """`card.number`, `payments[3].amount`; None for the request itself."""
    return ".".join(names).replace(".[", "[") or None


def _currency_refusal(param: str | None, value: Any) -> Malformed:
    """Names the value only when it has the form of a currency code and so cannot be a secret."""
    named = isinstance(value, str) and len(value) == CURRENCY_CODE_LENGTH
    if named and value.isascii() and value.isalpha():
        return Malformed("invalid_currency", param, currency=value)
    return Malformed("parameter_invalid", param)


def _type_name(declared: str | list[str]) -> str:
    return declared if isinstance(declared, str) else " or ".join(declared)
