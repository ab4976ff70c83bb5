"""Hold openapi.yaml to the rules the code and the readers of the document rely on.

Usage: python scripts/spec_lint.py [FILE]. Prints `path: message` for each finding, then exits 1.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

Node = dict[str, Any]
Finding = tuple[str, str]
Rule = Callable[[Node], Iterator[Finding]]

METHODS = {"get", "post", "put", "patch", "delete", "head", "options", "trace"}
SNAKE_CASE = re.compile(r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$")
COMPONENT = re.compile(r"^components\.schemas\.[^.]+$")
MAX_BODY_BYTES = 262_144

LEGAL_VALUES: dict[str, tuple[object, ...]] = {
    "x-house": ("gateway", "vault"),
    "x-idempotency": ("required", "accepted", "none"),
    "x-rate-limit": ("standard", "publishable", "public", "none"),
    "x-max-body-bytes": (0, MAX_BODY_BYTES),
    "x-cache": ("no-store", "private-no-cache", "private-300"),
}
CATALOGUE_FIELDS = {"status", "type", "message", "cause", "remedy"}
PLACEHOLDERS = {"param", "expected", "minimum", "maximum", "limit_bytes"}
PLACEHOLDERS |= {"amount", "available", "currency", "status"}
# These two answer requests that match no operation, so no operation can claim them.
CODES_WITHOUT_OPERATION = {"route_missing", "method_not_allowed"}
# The error code that a failing schema keyword gives when no `x-error-code` stands beside it.
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
# Line feed and tab may stand in free text; every other C0 and C1 control character may not.
FORBIDDEN_CHARACTERS = [chr(c) for c in (*range(0x20), *range(0x7F, 0xA0)) if c not in (9, 10)]


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
    document = yaml.load(path.read_text("utf-8"), StrictLoader)
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
    for keyword in ("items", "additionalProperties", "propertyNames", "not"):
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


def check_references(document: Node) -> Iterator[Finding]:
    for place, node in walk(document):
        try:
            resolve(document, node)
        except (KeyError, TypeError):
            yield place, f"{node['$ref']} leads nowhere"


def check_structure(document: Node) -> Iterator[Finding]:
    for error in OpenAPIV31SpecValidator(document).iter_errors():
        yield at(*error.absolute_path) or "document", error.message.splitlines()[0]


def check_coverage(document: Node) -> Iterator[Finding]:
    """A rule that saw nothing has proved nothing."""
    for what, seen in {"operations": operations, "schemas": schemas, "examples": examples}.items():
        if not any(True for _ in seen(document)):
            yield "document", f"there are no {what}"
    event_types = document["components"]["schemas"]["EventType"]["enum"]
    for name in sorted(set(document["webhooks"]) ^ set(event_types)):
        yield at("webhooks", name), "webhooks and EventType must list the same events"


def check_links(document: Node) -> Iterator[Finding]:
    wanted = {}
    for _, parameters, operation in operations(document):
        wanted[operation["operationId"]] = {p["name"] for p in parameters if p["in"] == "path"}
    for place, node in walk(document):
        if isinstance(node, dict) and re.search(r"(^|\.)links\.\w+$", place):
            link = resolve(document, node)
            if set(link["parameters"]) != wanted.get(link["operationId"]):
                yield place, "a link names an operation and gives exactly its path parameters"


def check_operations(document: Node) -> Iterator[Finding]:
    declared = {tag["name"] for tag in document["tags"]}
    for place, _, operation in operations(document):
        name, tags = operation.get("operationId", ""), operation.get("tags", [])
        limit = operation.get("x-max-body-bytes")
        yield from wrong(
            place,
            (not SNAKE_CASE.match(name), f"operationId {name!r} is missing or not snake_case"),
            (len(tags) != 1 or not declared.issuperset(tags), "needs one tag, a declared one"),
            (not {"summary", "description"} <= set(operation), "needs summary and description"),
            (set(operation.get("x-sdk", {})) != {"resource", "method"}, "x-sdk is incomplete"),
            (bool(operation.get("x-paginated")) != name.startswith("list_"), "x-paginated: lists"),
            (("requestBody" in operation) == (limit == 0), "x-max-body-bytes and body disagree"),
        )
        for extension, legal in LEGAL_VALUES.items():
            if operation.get(extension) not in legal:
                yield place, f"{extension} must be one of {', '.join(map(str, legal))}"


def check_idempotency(document: Node) -> Iterator[Finding]:
    for place, parameters, operation in operations(document):
        keys = [p for p in parameters if p["name"] == "Idempotency-Key"]
        mode = operation.get("x-idempotency")
        authenticated_post = place.endswith(".post") and operation.get("security") != []
        required = any(key.get("required") for key in keys)
        yield from wrong(
            place,
            (authenticated_post != (mode != "none"), "x-idempotency: authenticated POST, no other"),
            (bool(keys) != (mode != "none"), "x-idempotency and Idempotency-Key disagree"),
            (required != (mode == "required"), "Idempotency-Key is wrongly required or optional"),
        )


def check_security(document: Node) -> Iterator[Finding]:
    schemes = document["components"]["securitySchemes"]
    scopes = set(schemes["SecretKey"]["x-scopes"])
    grants = schemes["SecretKey"]["x-scope-grants"]
    if not set(grants) == scopes >= {scope for granted in grants.values() for scope in granted}:
        yield "components.securitySchemes.SecretKey", "x-scopes and x-scope-grants disagree"
    for place, _, operation in operations(document):
        if "security" not in operation:
            yield place, "security must be stated, even if it is []"
        for alternative in operation.get("security", []):
            for scheme, roles in alternative.items():
                known = scheme in schemes and scopes.issuperset(roles)
                if not known or (scheme == "SecretKey") != bool(roles):
                    yield place, f"{scheme} {roles} is not declared, or lacks its scope"


def check_catalogue(document: Node) -> Iterator[Finding]:
    catalogue, named = document["x-error-catalogue"], document["components"]["schemas"]
    if list(catalogue) != named["ErrorCode"]["enum"]:
        yield "components.schemas.ErrorCode", "must list the catalogue's codes in its order"
    claimed = {code for _, _, op in operations(document) for code in op.get("x-errors", [])}
    for code, entry in catalogue.items():
        message = str(entry.get("message"))
        yield from wrong(
            at("x-error-catalogue", code),
            (set(entry) != CATALOGUE_FIELDS, f"needs exactly {sorted(CATALOGUE_FIELDS)}"),
            (entry.get("type") not in named["ErrorType"]["enum"], "the type is not an ErrorType"),
            (set(re.findall(r"\{(.*?)\}", message)) - PLACEHOLDERS, "unknown placeholder"),
            (code not in claimed | CODES_WITHOUT_OPERATION, "no operation can give this code"),
        )


def is_refusal(response: Node) -> bool:
    media = response["content"]["application/json"]
    return bool(media["schema"] == {"$ref": "#/components/schemas/Error"})


def check_declared_errors(document: Node) -> Iterator[Finding]:
    """Codes and statuses of an operation fit, both ways."""
    catalogue = document["x-error-catalogue"]
    for place, _, operation in operations(document):
        codes = operation.get("x-errors", [])
        if not codes or len(codes) != len(set(codes)) or not set(codes) <= set(catalogue):
            yield place, "x-errors is missing, names a code twice, or one not in the catalogue"
        given = {str(catalogue[code]["status"]) for code in codes if code in catalogue}
        responses = {s: resolve(document, r) for s, r in operation["responses"].items()}
        # 503 of /readyz is no refusal: it has the body of 200 and no code.
        for status in sorted(given ^ {s for s, r in responses.items() if is_refusal(r)}):
            yield place, f"x-errors and responses disagree about {status}"


def request_codes(document: Node, schema: Node) -> Iterator[str]:
    """Yield the codes that the keywords of a request schema can give, `$ref` followed."""
    schema = resolve(document, schema)
    own = schema.get("x-error-code", {})
    for keyword in KEYWORD_CODES.keys() & schema.keys():
        if keyword != "format" or "string" in types(schema):
            yield own.get(keyword, KEYWORD_CODES[keyword])
    for name, child in children(schema):
        if name != "propertyNames":
            yield from request_codes(document, child)


def check_request_errors(document: Node) -> Iterator[Finding]:
    """What the request's schemas can refuse is in x-errors, and what they cannot refuse is not."""
    for place, parameters, operation in operations(document):
        # A path id is 404 whatever its form, and a bad Idempotency-Key has its own code.
        sources = [p["schema"] for p in parameters if p["in"] == "query"]
        if "requestBody" in operation:
            sources.append(operation["requestBody"]["content"]["application/json"]["schema"])
        possible = {code for source in sources for code in request_codes(document, source)}
        claimed = set(operation.get("x-errors", []))
        for code in sorted(possible - claimed):
            yield place, f"a schema can give {code}, x-errors does not say so"
        for code in sorted(claimed & set(KEYWORD_CODES.values()) - possible):
            yield place, f"x-errors names {code}, no schema can give it"


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
        if place.endswith(".content.application/json"):
            given = node.get("examples", {})
            if not given or set(node.get("schema", {})) != {"$ref"}:
                yield place, "a body needs an example, and a schema that is a named component"
            used.update(example.get("$ref", "") for example in given.values())
    for name in document["components"]["examples"]:
        if f"#/components/examples/{name}" not in used:
            yield at("components.examples", name), "is used nowhere"


RULES: tuple[Rule, ...] = (
    *(check_coverage, check_links, check_operations, check_idempotency, check_security),
    *(check_catalogue, check_declared_errors, check_request_errors),
    *(check_schemas, check_strings, check_examples, check_bodies),
)


def lint(document: Node) -> list[Finding]:
    """All findings. The rules presume a well-formed document, so they run once it is one."""
    broken = list(check_references(document)) or list(check_structure(document))
    return broken or [finding for rule in RULES for finding in rule(document)]


def main(arguments: list[str]) -> int:
    path = Path(arguments[0] if arguments else Path(__file__).parent.parent / "openapi.yaml")
    try:
        findings = lint(load(path))
    except (OSError, yaml.YAMLError) as error:
        findings = [(path.name, str(error))]
    for place, message in findings or [(path.name, "follows the rules")]:
        print(f"{place}: {message}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
