"""Rules of reading: what every GET and every list takes and answers alike."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.spec_rules.reading import Finding, Node, operations, resolve, wrong

UNKEPT = "no-store"


def shown_fields(document: Node, operation: Node) -> set[str]:
    """Top-level names of the resource that a 200 shows; of a list, those of its items."""
    answer = resolve(document, operation["responses"].get("200", {}))
    media = answer.get("content", {}).get("application/json")
    if media is None:
        return set()
    schema = resolve(document, media["schema"])
    if operation.get("x-paginated"):
        data = resolve(document, schema.get("properties", {}).get("data", {}))
        schema = data.get("items", {})
    return property_names(document, schema)


def property_names(document: Node, schema: Node) -> set[str]:
    schema = resolve(document, schema)
    names = set(schema.get("properties", ()))
    for keyword in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(keyword, ()):
            names |= property_names(document, part)
    return names


def check_reading(document: Node) -> Iterator[Finding]:
    """Sparse fieldsets on every resource; ETag, If-None-Match and 304 where it may be kept."""
    for place, parameters, operation in operations(document):
        shown = shown_fields(document, operation)
        taken = {parameter["name"] for parameter in parameters}
        ok = resolve(document, operation["responses"].get("200", {}))
        # A resource says what it is; liveness and the like are none.
        reads = place.endswith(".get")
        kept = operation.get("x-cache") != UNKEPT
        named = {
            "ETag on 200": "ETag" in ok.get("headers", {}),
            "the parameter If-None-Match": "If-None-Match" in taken,
            "the response 304": "304" in operation["responses"],
        }
        yield from wrong(
            place,
            ((reads and "object" in shown) != ("fields" in taken), "`fields`: every resource read"),
            (kept and not reads, "only what is read may be kept: x-cache must be no-store"),
            *(
                ((reads and kept) != given, f"{what}: on every GET that may be kept, and no other")
                for what, given in named.items()
            ),
        )


def check_lists(document: Node) -> Iterator[Finding]:
    """Every list is ordered and bounded by the time its items were made; amounts order too."""
    for place, parameters, operation in operations(document):
        queries = {p["name"]: p for p in parameters if p["in"] == "query"}
        duplicated = "parameter_duplicated" in operation.get("x-errors", [])
        if bool(queries) != duplicated:
            yield place, "parameter_duplicated belongs to x-errors where there are parameters"
        if not operation.get("x-paginated"):
            continue
        shown = shown_fields(document, operation)
        for name in ("limit", "starting_after", "ending_before"):
            if name not in queries:
                yield place, f"a list takes {name}"
        if "created_at" not in shown:
            continue
        for name in ("created_gte", "created_lte", "sort"):
            if name not in queries:
                yield place, f"a list of what was created takes {name}"
        if "sort" in queries:
            orders = resolve(document, queries["sort"]["schema"])["enum"]
            fields = ["created_at", *(["amount"] if "amount" in shown else [])]
            if orders != [sign + field for field in fields for sign in ("", "-")]:
                yield place, f"sort takes {' and '.join(fields)}, both ways"
