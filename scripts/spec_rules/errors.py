"""Rules of the error catalogue: every refusal is named, and named where it can happen."""

from __future__ import annotations

import re
from collections.abc import Iterator

from contract.free_text import CARD_NUMBER_IN_TEXT, is_free_text
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

CATALOGUE_FIELDS = {"status", "stage", "type", "message", "cause", "remedy"}
OPTIONAL_FIELDS = {"example", "retry"}
STAGE_FIELDS = {"stage", "statuses", "retry", "checks"}
RETRIES = {"after_correction", "same_request", "new_key"}
# What may stand in an example beside the values of the message.
EXAMPLE_FIELDS = {"param", "decline_code", "payment_id"}
PLACEHOLDERS = {"param", "expected", "minimum", "maximum", "limit_bytes"}
PLACEHOLDERS |= {"amount", "available", "currency", "limit", "status", "unit"}
# What a client acts on beside the code (blueprint section 6), by status.
TELLING_HEADERS = {
    "401": "WWW-Authenticate",
    "405": "Allow",
    "409": "Retry-After",
    "429": "Retry-After",
    "503": "Retry-After",
}
# An error as the API answers it, in words for a person, and as OAuth has it.
REFUSALS = [
    {"$ref": f"#/components/schemas/{name}"} for name in ("Error", "ErrorPage", "OAuthError")
]
ITEMS = "x-item-schema"
# What every key may be refused with, whatever the operation; the second scheme is the vault's.
ADMISSION_CODES: dict[str, set[str]] = {
    # A token that is shown is verified before it is known to be of no use here.
    "SecretKey": {
        "access_token_invalid",
        "access_token_expired",
        "access_token_revoked",
        "api_key_missing",
        "api_key_invalid",
        "api_key_expired",
        "api_key_revoked",
        "api_key_suspended",
        "insufficient_scope",
        "key_kind_forbidden",
        "ip_not_allowed",
    },
    "AccessToken": set(),
    "PublishableKey": {
        "api_key_missing",
        "api_key_invalid",
        "api_key_expired",
        "api_key_revoked",
        "api_key_suspended",
        "key_kind_forbidden",
    },
}
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
    # These answer requests that match no operation, so no operation can claim them.
    claimed |= set(document["x-refusals-without-operation"])
    for code, entry in catalogue.items():
        placeholders = set(re.findall(r"\{(.*?)\}", str(entry.get("message"))))
        example = set(entry.get("example", {}))
        surplus = set(entry) - CATALOGUE_FIELDS - OPTIONAL_FIELDS
        yield from wrong(
            at("x-error-catalogue", code),
            (surplus or CATALOGUE_FIELDS - set(entry), f"needs {sorted(CATALOGUE_FIELDS)}"),
            (entry.get("type") not in named["ErrorType"]["enum"], "the type is not an ErrorType"),
            (placeholders - PLACEHOLDERS, "unknown placeholder"),
            (placeholders - example, "the example lacks a value of the message"),
            (example - placeholders - EXAMPLE_FIELDS, "the example has a value that is not shown"),
            (code not in claimed, "no operation can give this code"),
        )


def check_refusal_order(document: Node) -> Iterator[Finding]:
    """Every code has its place in the published order, and every stage says what it checks."""
    stages = {stage.get("stage"): stage for stage in document["x-refusal-order"]}
    if len(stages) != len(document["x-refusal-order"]):
        yield "x-refusal-order", "names a stage twice"
    for name, stage in stages.items():
        yield from wrong(
            at("x-refusal-order", name),
            (set(stage) != STAGE_FIELDS, f"needs exactly {sorted(STAGE_FIELDS)}"),
            (stage.get("retry") not in RETRIES, f"retry must be one of {sorted(RETRIES)}"),
        )
    for code, entry in document["x-error-catalogue"].items():
        stage = stages.get(entry.get("stage"), {})
        yield from wrong(
            at("x-error-catalogue", code),
            (not stage, "the stage is not in x-refusal-order"),
            (entry["status"] not in stage.get("statuses", []), "the stage has another status"),
            (entry.get("retry", "new_key") not in RETRIES, "retry is unknown"),
            ("retry" in entry and entry["retry"] == stage.get("retry"), "retry is the stage's"),
        )


def check_refusal_headers(document: Node) -> Iterator[Finding]:
    """A refusal that tells the client when, how or what to ask next declares the header."""
    for place, _, operation in operations(document):
        for status, name in TELLING_HEADERS.items():
            response = resolve(document, operation["responses"].get(status, {}))
            if response and is_refusal(response) and name not in response.get("headers", {}):
                yield at(place, "responses", status), f"the header {name} is not declared"


def check_refusal_shapes(document: Node) -> Iterator[Finding]:
    """All refusals of an operation are of one shape: a page's are pages, OAuth's are OAuth's."""
    for place, _, operation in operations(document):
        found = [resolve(document, response) for response in operation["responses"].values()]
        shapes = {shape for response in found if (shape := refusal_shape(response))}
        if len(shapes) > 1:
            yield at(place, "responses"), f"refusals of several shapes: {sorted(shapes)}"


def refusal_shape(response: Node) -> str | None:
    """The media type and schema of a refusal; None of another answer."""
    for media_type, media in response.get("content", {}).items():
        if media.get("schema") in REFUSALS:
            return f"{media_type} {media['schema']['$ref']}"
    return None


def is_refusal(response: Node) -> bool:
    """Whether it answers with an error; 304 answers with nothing."""
    return refusal_shape(response) is not None


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


def check_admission_errors(document: Node) -> Iterator[Finding]:
    """An operation that needs a key names every code that a key can be refused with."""
    for place, _, operation in operations(document):
        claimed = set(operation.get("x-errors", []))
        schemes = {scheme for alternative in operation["security"] for scheme in alternative}
        needed = {code for scheme in schemes for code in ADMISSION_CODES[scheme]}
        if {"AccessToken": ["account:manage"]} in operation["security"]:
            needed.add("second_factor_required")
        for code in sorted(needed - claimed):
            yield place, f"a key can be refused with {code}, x-errors does not say so"


def request_codes(document: Node, schema: Node) -> Iterator[str]:
    """Yield the codes that the keywords of a request schema can give, `$ref` followed."""
    schema = resolve(document, schema)
    own = schema.get("x-error-code", {})
    for keyword in KEYWORD_CODES.keys() & schema.keys():
        if keyword != "format" or "string" in types(schema):
            yield own.get(keyword, KEYWORD_CODES[keyword])
    if is_free_text(schema):
        yield CARD_NUMBER_IN_TEXT
    for name, child in children(schema):
        if name not in ("propertyNames", ITEMS):
            yield from request_codes(document, child)


def check_request_errors(document: Node) -> Iterator[Finding]:
    """What the request's schemas can refuse is in x-errors, and what they cannot refuse is not."""
    for place, parameters, operation in operations(document):
        # A path id is 404 whatever its form, and a bad Idempotency-Key has its own code.
        sources = [p["schema"] for p in parameters if p["in"] == "query"]
        if "requestBody" in operation:
            (media,) = operation["requestBody"]["content"].values()
            sources.append(media["schema"])
        possible = {code for source in sources for code in request_codes(document, source)}
        claimed = set(operation.get("x-errors", []))
        for code in sorted(possible - claimed):
            yield place, f"a schema can give {code}, x-errors does not say so"
        schemas_alone = {*KEYWORD_CODES.values(), CARD_NUMBER_IN_TEXT}
        for code in sorted(claimed & schemas_alone - possible):
            yield place, f"x-errors names {code}, no schema can give it"


def check_item_errors(document: Node) -> Iterator[Finding]:
    """Where items of a body are judged alone, `x-item-errors` says what they are refused with."""
    for place, _, operation in operations(document):
        claimed = operation.get("x-item-errors", [])
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        whole = resolve(document, body.get("schema", {}))
        items = [s[ITEMS] for s in whole.get("properties", {}).values() if ITEMS in s]
        possible = {code for schema in items for code in request_codes(document, schema)}
        unknown = set(claimed) - set(document["x-error-catalogue"])
        yield from wrong(
            place,
            (bool(items) != bool(claimed), "x-item-schema and x-item-errors belong together"),
            (unknown or len(claimed) != len(set(claimed)), "x-item-errors: unknown or doubled"),
            (possible - set(claimed), "x-item-schema can give more than x-item-errors says"),
        )
