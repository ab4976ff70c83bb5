"""Hold openapi.yaml to the rules the code and the readers of the document rely on.

Usage: python -m scripts.spec_lint [FILE]. Prints `path: message` for each finding, then exits 1.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

from scripts.spec_rules import errors, operations, representation, schemas, versions
from scripts.spec_rules.reading import Finding, Node, Rule, at, load, resolve, walk

RULES: tuple[Rule, ...] = (
    operations.check_coverage,
    operations.check_links,
    operations.check_operations,
    operations.check_idempotency,
    operations.check_security,
    operations.check_access_tokens,
    errors.check_catalogue,
    errors.check_refusal_order,
    errors.check_refusal_headers,
    errors.check_refusal_shapes,
    errors.check_declared_errors,
    errors.check_admission_errors,
    errors.check_request_errors,
    representation.check_reading,
    representation.check_lists,
    errors.check_item_errors,
    versions.check_versions,
    versions.check_headers,
    schemas.check_schemas,
    schemas.check_strings,
    schemas.check_examples,
    schemas.check_bodies,
)


def check_references(document: Node) -> Iterator[Finding]:
    for place, node in walk(document):
        try:
            resolve(document, node)
        except (KeyError, TypeError):
            yield place, f"{node['$ref']} leads nowhere"


def check_structure(document: Node) -> Iterator[Finding]:
    for error in OpenAPIV31SpecValidator(document).iter_errors():
        yield at(*error.absolute_path) or "document", error.message.splitlines()[0]


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
