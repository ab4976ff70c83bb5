"""openapi.yaml, read once for all tests of a process: who changes it changes a copy."""

from contract.document import Node, load_document

DOCUMENT: Node = load_document()
