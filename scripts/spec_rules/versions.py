"""Rules of versions: every operation can be asked in another one, and can say that it is gone."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.spec_rules.reading import Finding, Node, operations, resolve, walk, wrong

CODES = {"api_version_unknown", "api_version_brownout", "api_version_removed"}
NAMES_IT = "Paymint-Version"
LEAVING = ("Deprecation", "Sunset", "Link")


def check_versions(document: Node) -> Iterator[Finding]:
    """Parameter, codes and answer of every operation, and the date of the document itself."""
    date = document["info"]["version"]
    for place, parameters, operation in operations(document):
        asked = [p for p in parameters if (p["in"], p["name"]) == ("header", NAMES_IT)]
        missing = CODES - set(operation.get("x-errors", []))
        yield from wrong(
            place,
            (not asked, "lacks the parameter PaymintVersion"),
            (any(p["schema"].get("const") != date for p in asked), f"{NAMES_IT} is not {date}"),
            (missing, f"x-errors lacks {', '.join(sorted(missing))}"),
            ("410" not in operation["responses"], "lacks the answer 410, Gone"),
        )


def check_headers(document: Node) -> Iterator[Finding]:
    """Every answer of ours names its version; 410 says when the version goes."""
    for place, node in walk({"paths": document["paths"], "components": document["components"]}):
        answers = isinstance(node, dict) and {"description", "headers"} <= node.keys()
        if answers and NAMES_IT not in node["headers"]:
            yield place, f"an answer needs the header {NAMES_IT}"
    for place, _, operation in operations(document):
        headers = resolve(document, operation["responses"].get("410", {})).get("headers", {})
        if not headers.keys() >= set(LEAVING):
            yield place, f"410 needs the headers {', '.join(LEAVING)}"
