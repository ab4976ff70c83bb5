"""Rules of the error catalogue: every refusal is named, and named where it can happen."""

from __future__ import annotations

import re
from collections.abc import Iterator

from scripts.spec_rules.reading import (
    Finding,
    Node,
    at,
    children,
    operations,
    resolve,
    types,
    wrong,
)

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
    media = response["content"].get("application/json", {})
    return bool(media.get("schema") == {"$ref": "#/components/schemas/Error"})


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
