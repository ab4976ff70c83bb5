"""Walking through the document: what the rules look at."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

Node = dict[str, Any]
Finding = tuple[str, str]
Rule = Callable[[Node], Iterator[Finding]]

METHODS = {"get", "post", "put", "patch", "delete", "head", "options", "trace"}
COMPONENT = re.compile(r"^components\.schemas\.[^.]+$")
SNAKE_CASE = re.compile(r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$")


class StrictLoader(yaml.SafeLoader):
    """A YAML loader that refuses a key given twice in one mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.YAMLError(
                    f"line {key.start_mark.line + 1}: key {key.value!r} is given twice"
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def load(path: Path) -> Node:
    """Read the document; raise yaml.YAMLError on bad YAML and on duplicate keys."""
    document = yaml.load(path.read_text("utf-8"), StrictLoader)  # nosec B506  # a SafeLoader
    if not isinstance(document, dict):
        raise yaml.YAMLError("the document is not a mapping")
    return document


def at(*parts: object) -> str:
    return ".".join(str(part) for part in parts if part != "")


def wrong(place: str, *tests: tuple[object, str]) -> Iterator[Finding]:
    """Yield a finding for each (condition, message) whose condition holds."""
    return ((place, message) for condition, message in tests if condition)


def resolve(document: Node, node: Any) -> Any:
    """Follow `$ref` until there is none."""
    while isinstance(node, dict) and "$ref" in node:
        target: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def operations(document: Node) -> Iterator[tuple[str, list[Node], Node]]:
    """Yield (place, parameters, operation) for each operation the servers answer."""
    for path, item in document["paths"].items():
        for method in filter(METHODS.__contains__, item):
            declared = item.get("parameters", []) + item[method].get("parameters", [])
            resolved = [resolve(document, parameter) for parameter in declared]
            yield at("paths", path, method), resolved, item[method]


def walk(node: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every node of the document; example values are data, and left out."""
    yield place, node
    if isinstance(node, dict):
        for key, value in node.items():
            if key not in ("example", "examples") or "schema" in node:
                yield from walk(value, at(place, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from walk(value, at(place, index))


def children(schema: Node) -> Iterator[tuple[str, Node]]:
    """Yield (place, schema) of the schemas directly inside this one."""
    for name, value in schema.get("properties", {}).items():
        yield at("properties", name), value
    for keyword in ("items", "x-item-schema", "additionalProperties", "propertyNames", "not"):
        if isinstance(schema.get(keyword), dict):
            yield keyword, schema[keyword]
    for keyword in ("oneOf", "anyOf", "allOf", "prefixItems"):
        for index, value in enumerate(schema.get(keyword, [])):
            yield at(keyword, index), value


def schema_tree(schema: Node, place: str) -> Iterator[tuple[str, Node]]:
    yield place, schema
    for name, child in children(schema):
        yield from schema_tree(child, at(place, name))


def schemas(document: Node) -> Iterator[tuple[str, Node]]:
    """Yield (place, schema) for every schema, named or inline; `$ref` is not followed."""
    for place, node in walk(document):
        if COMPONENT.match(place) or (place.endswith(".schema") and isinstance(node, dict)):
            yield from schema_tree(node, place)


def examples(document: Node) -> Iterator[tuple[str, Node, Any]]:
    """Yield (place, schema, value) for each example of a schema, media type or parameter."""
    for place, schema in schemas(document):
        for index, value in enumerate(schema.get("examples", [])):
            yield at(place, "examples", index), schema, value
    for place, node in walk(document):
        if isinstance(node, dict) and isinstance(node.get("schema"), dict):
            if "example" in node:
                yield at(place, "example"), node["schema"], node["example"]
            for name, value in node.get("examples", {}).items():
                resolved = resolve(document, value)["value"]
                yield at(place, "examples", name), node["schema"], resolved


def types(schema: Node) -> set[str]:
    declared = schema.get("type", [])
    return {declared} if isinstance(declared, str) else set(declared)
