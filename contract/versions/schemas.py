"""What a version's file says of the objects in answers, by their schema."""

from collections.abc import Callable
from typing import Any

from contract.document import Node

Reshape = Callable[[dict[str, Any]], dict[str, Any]]
Components = dict[str, Node]


def kind_of(schema: Node) -> str:
    """The `object` that objects of this schema carry; empty where they carry none."""
    named = schema.get("properties", {}).get("object", {})
    kind: str = named.get("const", "")
    return kind
