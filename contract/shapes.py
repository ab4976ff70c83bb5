"""A schema of the document, compiled once by jsonschema-rs (2020-12, formats checked)."""

from functools import lru_cache
from typing import Any

import jiter
import jsonschema_rs
import orjson

from contract.document import Node, resolved
from contract.free_text import CARD_NUMBER_IN_TEXT, FreeText
from contract.violations import REQUEST_FORMATS, Part, param_of
from domain.refusals import Malformed

# What a number with a fraction is judged as.  No schema of the document takes it, so it
# fails by the rule of the field where it stands, in the order of all other faults.
_FRACTION = 0.5
SCHEMAS = "#/components/schemas/"
VALIDATORS_MAX = 1024


def compile_validator(
    document: Node, schema: Node, *, of_request: bool = False
) -> jsonschema_rs.Draft202012Validator:
    """A validator whose references lead into the document and whose errors hide values.

    Date-times of requests must be such as we can read.
    """
    whole = {**schema, "components": {"schemas": _reached(document, schema)}}
    return _compiled(orjson.dumps(whole), of_request)


# The same errors stand in every answer of every version: one validator serves them all.
@lru_cache(VALIDATORS_MAX)
def _compiled(text: bytes, of_request: bool) -> jsonschema_rs.Draft202012Validator:
    formats = REQUEST_FORMATS if of_request else None
    return jsonschema_rs.Draft202012Validator(
        orjson.loads(text),
        validate_formats=True,
        formats=formats,
        mask="[masked]",
        # Without look-around and back-references, which no pattern of ours has: a payment's
        # answer is checked in four fifths of the time, and never in more than linear time.
        pattern_options=jsonschema_rs.RegexOptions(),
    )


class Shape:
    """What a body or the parameters of a query must look like."""

    def __init__(self, document: Node, schema: Node) -> None:
        self._is_valid = compile_validator(document, schema, of_request=True).is_valid
        self._whole = Part(document, schema)
        self._texts = FreeText(document, schema)

    def check(self, value: Any) -> None:
        """Raises Malformed for the first fault in the published order, a card number last."""
        if self._fits(value):
            found = self._texts.found_in(value)
            if found is not None:
                raise Malformed(CARD_NUMBER_IN_TEXT, param_of(found))
            return
        # The validator has the last word, even where the walk should find no fault.  Raised
        # without a name: a refusal held by the frame that raised it is a cycle, and the request
        # with it is left to the collector, which stops the loop.
        raise self._whole.first_refusal(_judged_as_fractions(value)) or Malformed(
            "parameter_invalid"
        )

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


def _reached(document: Node, schema: Node) -> dict[str, Node]:
    """The named schemas that references lead to, from this one or from one another.

    A validator keeps a copy of its schema in memory: with all of the document in each it
    would take a megabyte, and there are over a thousand.
    """
    named, found = document["components"]["schemas"], {}
    waiting: list[Any] = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            name = str(node.get("$ref", "")).removeprefix(SCHEMAS)
            if name in named and name not in found:
                found[name] = named[name]
                waiting.append(named[name])
        if isinstance(node, (dict, list)):
            waiting.extend(node.values() if isinstance(node, dict) else node)
    return found


def _judged_as_fractions(value: Any) -> Any:
    if isinstance(value, jiter.LosslessFloat):
        return _FRACTION
    if isinstance(value, dict):
        return {key: _judged_as_fractions(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_judged_as_fractions(item) for item in value]
    return value
