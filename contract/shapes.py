"""A schema of the document, compiled once by jsonschema-rs (2020-12, formats checked)."""

from typing import Any

import jiter
import jsonschema_rs

from contract.document import Node, resolved
from contract.violations import REQUEST_FORMATS, Formats, Part
from domain.refusals import Malformed

# What a number with a fraction is judged as.  No schema of the document takes it, so it
# fails by the rule of the field where it stands, in the order of all other faults.
_FRACTION = 0.5
_NAMED = "#/components/schemas/"


def compile_validator(
    document: Node, schema: Node, formats: Formats | None = None
) -> jsonschema_rs.Draft202012Validator:
    """A validator whose references lead into the document and whose errors hide values."""
    whole = {**schema, "components": {"schemas": _reached(document, schema)}}
    return jsonschema_rs.Draft202012Validator(
        whole, validate_formats=True, formats=formats, mask="[masked]"
    )


def _reached(document: Node, schema: Node) -> Node:
    """The named schemas that `schema` leads to: each validator keeps a copy of what it is given."""
    named: Node = document["components"]["schemas"]
    found: Node = {}
    ahead: list[Any] = [schema]
    while ahead:
        node = ahead.pop()
        if isinstance(node, dict):
            ahead.extend(node.values())
        elif isinstance(node, list):
            ahead.extend(node)
        elif isinstance(node, str) and node.startswith(_NAMED):
            name = node.removeprefix(_NAMED)
            if name in named and name not in found:
                found[name] = named[name]
                ahead.append(named[name])
    return found


class Shape:
    """What a body or the parameters of a query must look like."""

    def __init__(self, document: Node, schema: Node) -> None:
        self._is_valid = compile_validator(document, schema, REQUEST_FORMATS).is_valid
        self._whole = Part(document, schema)

    def check(self, value: Any) -> None:
        """Raises Malformed for the first fault in the published order."""
        if self._fits(value):
            return
        refusal = self._whole.first_refusal(_judged_as_fractions(value))
        # The validator has the last word, even where the walk should find no fault.
        raise refusal or Malformed("parameter_invalid")

    def _fits(self, value: Any) -> bool:
        try:
            return self._is_valid(value)
        except ValueError:
            # jsonschema_rs does not take LosslessFloat, and no schema of ours does.
            return False


class Alternatives:
    """A `oneOf` with a discriminator: the field names the one shape that is checked."""

    def __init__(self, document: Node, schema: Node) -> None:
        discriminator = schema["discriminator"]
        self._property: str = discriminator["propertyName"]
        self._shapes = {
            name: Shape(document, {"$ref": reference})
            for name, reference in discriminator["mapping"].items()
        }

    def check(self, value: Any) -> None:
        """Raises Malformed for the first fault in the published order."""
        if not isinstance(value, dict):
            raise Malformed("body_not_object")
        name = value.get(self._property)
        if self._property not in value:
            raise Malformed("parameter_missing", self._property)
        if not isinstance(name, str):
            raise Malformed("parameter_invalid_type", self._property, expected="string")
        if name not in self._shapes:
            raise Malformed("parameter_invalid_enum", self._property)
        self._shapes[name].check(value)


def shape_of(document: Node, schema: Node) -> Shape | Alternatives:
    """Compile a schema; one with a discriminator is checked by the alternative it names."""
    whole = resolved(document, schema)
    if "discriminator" in whole:
        return Alternatives(document, whole)
    return Shape(document, schema)


def _judged_as_fractions(value: Any) -> Any:
    if isinstance(value, jiter.LosslessFloat):
        return _FRACTION
    if isinstance(value, dict):
        return {key: _judged_as_fractions(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_judged_as_fractions(item) for item in value]
    return value
