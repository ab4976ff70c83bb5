"""From a failed schema rule to the one refusal that answers it.

The refusal names a parameter of the document, never what the caller made up, and no value
but a currency code of three letters.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from contract.document import Node, resolved
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
UNKNOWN_KEYWORDS = ("additionalProperties", "unevaluatedProperties")
MINIMUM_KEYWORDS = ("minLength", "minimum", "minItems")
MAXIMUM_KEYWORDS = ("maxLength", "maximum", "maxItems", "maxProperties")
CURRENCY_CODE_LENGTH = 3
# A body of 256 kB can break thousands of rules; the first of these many is answered.
VIOLATIONS_CONSIDERED = 64


class _Kind(Protocol):
    @property
    def name(self) -> str: ...


class SchemaError(Protocol):
    """What is read of a jsonschema_rs error."""

    @property
    def kind(self) -> Any: ...
    @property
    def instance_path(self) -> Sequence[str | int]: ...


class Violation(NamedTuple):
    """One broken rule; the smallest is the one that is answered.

    `rank` is 0 for a body of the wrong type, 1 for an unknown field, 2 for a missing one,
    3 for anything else; `position` follows the order of properties in the document, and
    `keyword_rank` puts a wrong type before what follows from it.
    """

    rank: int
    position: tuple[int, ...]
    keyword_rank: int
    keyword: str
    param: str
    schema: Node
    path: tuple[str | int, ...]


def first_refusal(
    document: Node, schema: Node, errors: Iterable[SchemaError], value: Any
) -> Malformed:
    """The refusal for the first of the errors, in the published order."""
    found: list[Violation] = []
    for error in errors:
        found.extend(_violations(document, schema, error))
        if len(found) >= VIOLATIONS_CONSIDERED:
            break
    return _refusal(min(found, key=lambda violation: violation[:4]), value)


def _violations(document: Node, root: Node, error: SchemaError) -> Iterator[Violation]:
    """One violation per error; one per name for missing fields, of which each has an error."""
    keyword = error.kind.name
    path = tuple(error.instance_path)
    schema, position, names = _descend(document, root, path)
    rank = _rank(keyword, path)
    if keyword == "required":
        missing = error.kind.property
        position = (*position, list(schema.get("properties", ())).index(missing))
        names = (*names, missing)
    order = 0 if keyword == "type" else 1
    yield Violation(rank, position, order, keyword, ".".join(names), schema, path)


def _rank(keyword: str, path: tuple[str | int, ...]) -> int:
    if keyword == "type" and not path:
        return 0
    if keyword in UNKNOWN_KEYWORDS:
        return 1
    return 2 if keyword == "required" else 3


def _descend(
    document: Node, schema: Node, path: tuple[str | int, ...]
) -> tuple[Node, tuple[int, ...], tuple[str, ...]]:
    """The schema at a path of the value, its place in the document's order, its known name.

    A name that the caller chose (a metadata key) ends the known name, not the descent.
    """
    schema = resolved(document, schema)
    position: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    all_known = True
    for step in path:
        properties = schema.get("properties", {})
        if isinstance(step, int):
            child, index, known = schema.get("items", {}), step, True
        elif step in properties:
            child, index, known = properties[step], list(properties).index(step), True
        else:
            child, index, known = schema.get("additionalProperties") or {}, len(properties), False
        all_known = all_known and known
        names = (*names, str(step)) if all_known else names
        position = (*position, index)
        schema = resolved(document, child if isinstance(child, dict) else {})
    return schema, position, names


def _refusal(violation: Violation, value: Any) -> Malformed:
    keyword, schema, param = violation.keyword, violation.schema, violation.param or None
    if keyword in UNKNOWN_KEYWORDS:
        return Malformed("parameter_unknown", param)
    default = KEYWORD_CODES.get(keyword, "parameter_invalid")
    code = schema.get("x-error-code", {}).get(keyword, default)
    if code == "invalid_currency":
        return _currency_refusal(param, _value_at(value, violation.path))
    if keyword == "type" and code == default:
        return Malformed(code, param, expected=_type_name(schema["type"]))
    if keyword in MINIMUM_KEYWORDS:
        return Malformed(code, param, minimum=schema[keyword])
    if keyword in MAXIMUM_KEYWORDS:
        return Malformed(code, param, maximum=schema[keyword])
    return Malformed(code, param)


def _currency_refusal(param: str | None, value: Any) -> Malformed:
    """Names the value only when it has the form of a currency code and so cannot be a secret."""
    named = isinstance(value, str) and len(value) == CURRENCY_CODE_LENGTH
    if named and value.isascii() and value.isalpha():
        return Malformed("invalid_currency", param, currency=value)
    return Malformed("parameter_invalid", param)


def _value_at(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def _type_name(declared: str | list[str]) -> str:
    return declared if isinstance(declared, str) else " or ".join(declared)
