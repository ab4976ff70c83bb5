"""Rules of schemas: all is named, described, bounded and shown by example."""

from __future__ import annotations

import re
from collections.abc import Iterator

import jsonschema_rs

from scripts.spec_rules.reading import (
    COMPONENT,
    SNAKE_CASE,
    Finding,
    Node,
    at,
    examples,
    schemas,
    types,
    walk,
    wrong,
)

MEDIA_TYPE = re.compile(r"\.content\.application/[a-z-]+$")
# Line feed and tab may stand in free text; every other C0 and C1 control character may not.
FORBIDDEN_CHARACTERS = [chr(c) for c in (*range(0x20), *range(0x7F, 0xA0)) if c not in (9, 10)]


def check_schemas(document: Node) -> Iterator[Finding]:
    """Enums and objects have names, so that every generated type has one; all is bounded."""
    for place, schema in schemas(document):
        kinds, keys = types(schema), set(schema)
        named = COMPONENT.match(place) is not None
        closed = False in (schema.get("additionalProperties"), schema.get("unevaluatedProperties"))
        closed = closed or {"propertyNames", "maxProperties"} <= keys
        bounded = schema.get("format") == "int64" and {"minimum", "maximum"} <= keys
        own = schema.get("x-error-code", {})
        nameless = keys & {"enum", "properties"} or "object" in kinds
        names = [name for name in schema.get("properties", {}) if not SNAKE_CASE.match(name)]
        yield from wrong(
            place,
            (named and not schema.get("description"), "description is missing"),
            (named and not schema.get("examples"), "examples are missing"),
            (not named and nameless, "an enum or object must be a named component"),
            ("object" in kinds and not closed, "an object must be closed, or bound its keys"),
            ("number" in kinds, "money and counts are integers"),
            ("integer" in kinds and not bounded, "an integer needs int64, minimum and maximum"),
            ("array" in kinds and "maxItems" not in keys, "an array needs maxItems"),
            (names, f"not snake_case: {', '.join(names)}"),
            (not keys.issuperset(own), "x-error-code names a keyword that is not there"),
            (set(own.values()) - set(document["x-error-catalogue"]), "x-error-code is unknown"),
        )


def check_strings(document: Node) -> Iterator[Finding]:
    paths = [n for n, p in document["components"]["parameters"].items() if p["in"] == "path"]
    # Path ids have no pattern: a malformed one is 404, not 400.
    free = {f"components.parameters.{name}.schema" for name in paths}
    for place, schema in schemas(document):
        if "string" not in types(schema) or {"enum", "const"} & set(schema):
            continue
        pattern = jsonschema_rs.Draft202012Validator({"pattern": schema.get("pattern", "$^")})
        shaped = {"pattern", "format"} & set(schema) or place in free
        yield from wrong(
            place,
            ("maxLength" not in schema, "a string needs maxLength, enum or const"),
            (not shaped, "a string needs a pattern or a format"),
            (any(map(pattern.is_valid, FORBIDDEN_CHARACTERS)), "lets control characters through"),
        )


def check_examples(document: Node) -> Iterator[Finding]:
    named = {"components": {"schemas": document["components"]["schemas"]}}
    for place, schema, value in examples(document):
        validator = jsonschema_rs.Draft202012Validator({**named, **schema}, validate_formats=True)
        for error in validator.iter_errors(value):
            yield place, error.message[:200]


def check_bodies(document: Node) -> Iterator[Finding]:
    used: set[str] = set()
    for place, node in walk(document):
        if MEDIA_TYPE.search(place):
            given = node.get("examples", {})
            if not given or set(node.get("schema", {})) != {"$ref"}:
                yield place, "a body needs an example, and a schema that is a named component"
            used.update(example.get("$ref", "") for example in given.values())
    for name in document["components"]["examples"]:
        if f"#/components/examples/{name}" not in used:
            yield at("components.examples", name), "is used nowhere"
