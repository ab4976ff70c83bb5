"""Rules of operations: what each states about itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

from scripts.spec_rules.reading import (
    SNAKE_CASE,
    Finding,
    Node,
    at,
    examples,
    operations,
    resolve,
    schemas,
    walk,
    wrong,
)

MAX_BODY_BYTES = 262_144
MAX_BATCH_BYTES = 1_048_576
# Under `items` every item of the body carries a key of its own, and the header is not read.
HEADER_MODES = ("required", "accepted")
ACCOUNT, PLATFORM = "account:manage", "platform:admin"
# What people see in a browser is nothing for a client library.
PAGES = "pages"
LEGAL_VALUES: dict[str, tuple[object, ...]] = {
    "x-house": ("gateway", "vault"),
    "x-idempotency": ("required", "accepted", "items", "none"),
    "x-rate-limit": ("standard", "publishable", "public", "none"),
    "x-max-body-bytes": (0, MAX_BODY_BYTES, MAX_BATCH_BYTES),
    "x-cache": ("no-store", "private-no-cache", "private-300", "public-86400"),
}


def check_coverage(document: Node) -> Iterator[Finding]:
    """A rule that saw nothing has proved nothing."""
    for what, seen in {"operations": operations, "schemas": schemas, "examples": examples}.items():
        if not any(True for _ in seen(document)):
            yield "document", f"there are no {what}"
    event_types = document["components"]["schemas"]["EventType"]["enum"]
    for name in sorted(set(document["webhooks"]) ^ set(event_types)):
        yield at("webhooks", name), "webhooks and EventType must list the same events"


def check_links(document: Node) -> Iterator[Finding]:
    wanted: dict[str, tuple[set[str], set[str]]] = {}
    for _, parameters, operation in operations(document):
        in_path = {p["name"] for p in parameters if p["in"] == "path"}
        wanted[operation["operationId"]] = in_path, _body_fields(document, operation)
    for place, node in walk(document):
        if isinstance(node, dict) and re.search(r"(^|\.)links\.\w+$", place):
            link = resolve(document, node)
            in_path, fields = wanted.get(link["operationId"], ({""}, set()))
            if set(link.get("parameters", {})) != in_path:
                yield place, "a link names an operation and gives exactly its path parameters"
            if not fields.issuperset(link.get("requestBody", {})):
                yield place, "a link gives the body fields that its operation does not have"


def _body_fields(document: Node, operation: Node) -> set[str]:
    media = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if media is None:
        return set()
    return set(resolve(document, media["schema"]).get("properties", {}))


def check_operations(document: Node) -> Iterator[Finding]:
    declared = {tag["name"] for tag in document["tags"]}
    for place, _, operation in operations(document):
        name, tags = operation.get("operationId", ""), operation.get("tags", [])
        limit = operation.get("x-max-body-bytes")
        sdk = set() if tags == [PAGES] else {"resource", "method"}
        yield from wrong(
            place,
            (not SNAKE_CASE.match(name), f"operationId {name!r} is missing or not snake_case"),
            (len(tags) != 1 or not declared.issuperset(tags), "needs one tag, a declared one"),
            (not {"summary", "description"} <= set(operation), "needs summary and description"),
            (set(operation.get("x-sdk", {})) != sdk, "x-sdk: resource and method; none of pages"),
            (bool(operation.get("x-paginated")) != name.startswith("list_"), "x-paginated: lists"),
            (operation.get("x-card-data", True) is not True, "x-card-data: true, or left out"),
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
            (bool(keys) != (mode in HEADER_MODES), "x-idempotency and Idempotency-Key disagree"),
            (required != (mode == "required"), "Idempotency-Key is wrongly required or optional"),
        )


def check_security(document: Node) -> Iterator[Finding]:
    schemes = document["components"]["securitySchemes"]
    scopes = set(schemes["SecretKey"]["x-scopes"])
    grants = schemes["SecretKey"]["x-scope-grants"]
    if not set(grants) == scopes >= {scope for granted in grants.values() for scope in granted}:
        yield "components.securitySchemes.SecretKey", "x-scopes and x-scope-grants disagree"
    granted = set(schemes["AccessToken"]["flows"]["authorizationCode"]["scopes"])
    # What a key cannot have is for our own applications, what a token cannot is the operator's.
    if granted ^ scopes != {ACCOUNT, PLATFORM}:
        yield "components.securitySchemes.AccessToken", "its scopes are not those of keys"
    held = {"SecretKey": scopes, "AccessToken": granted}
    for place, _, operation in operations(document):
        if "security" not in operation:
            yield place, "security must be stated, even if it is []"
        for alternative in operation.get("security", []):
            for scheme, roles in alternative.items():
                known = scheme in schemes and held.get(scheme, set()).issuperset(roles)
                if not known or (scheme in held) != bool(roles):
                    yield place, f"{scheme} {roles} is not declared, or lacks its scope"


def check_access_tokens(document: Node) -> Iterator[Finding]:
    """What a merchant's key opens a token opens too, the account with the scope for it alone."""
    for place, _, operation in operations(document):
        alternatives = [pair for each in operation["security"] for pair in each.items()]
        keys = {tuple(roles) for name, roles in alternatives if name == "SecretKey"}
        tokens = {tuple(roles) for name, roles in alternatives if name == "AccessToken"}
        keys.discard((PLATFORM,))
        if tokens not in (keys, {(ACCOUNT,)} if keys else set()):
            yield place, "AccessToken: the scopes of a key, or account:manage"
