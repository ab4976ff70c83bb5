"""Validators of the document's schemas."""

import subprocess
import sys

from contract.document import Node
from contract.shapes import compile_validator

MEMORY_MAX_MB = 150
COMPILED = """
import resource
from contract.document import load_document
from contract.operations import compile_operations
document = load_document()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
compile_operations(document, "gateway")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_a_validator_follows_references_through_others() -> None:
    schemas: Node = {
        "Tree": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}},
        "Holder": {"type": "object", "properties": {"tree": {"$ref": "#/components/schemas/Tree"}}},
        "Other": {"type": "string"},
    }
    document = {"components": {"schemas": schemas}}
    validator = compile_validator(document, {"$ref": "#/components/schemas/Holder"})
    assert validator.is_valid({"tree": [[], [[]]]})
    assert not validator.is_valid({"tree": [[], [["leaf"]]]})


def test_all_operations_fit_into_a_small_process() -> None:
    """Over a thousand schemas are compiled, most of them the same errors."""
    grown = subprocess.run(
        [sys.executable, "-c", COMPILED], check=True, capture_output=True, text=True
    )
    assert int(grown.stdout) < MEMORY_MAX_MB
