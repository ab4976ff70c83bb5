"""The OpenAPI document: read strictly, references followed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml

Node = dict[str, Any]
House = Literal["gateway", "vault"]

DOCUMENT_PATH = Path(__file__).resolve().parent.parent / "openapi.yaml"
METHODS = ("get", "post", "put", "patch", "delete")
# libyaml reads the document in a tenth of the time; it is not in every build of PyYAML.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class DocumentError(Exception):
    """The document does not carry what the code relies on; the process must not start."""


class Place(NamedTuple):
    """One operation of the document, with the parameters of its path among its own."""

    path: str
    method: str
    node: Node
    parameters: tuple[Node, ...]


class _StrictLoader(_Loader):  # type: ignore[misc]
    """Refuses a key that is given twice: YAML readers keep the last one without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        seen: set[object] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise DocumentError(f"line {key.start_mark.line + 1}: a key is given twice")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def load_document(path: Path = DOCUMENT_PATH) -> Node:
    """The parsed document; raises DocumentError or yaml.YAMLError."""
    document = yaml.load(path.read_bytes(), _StrictLoader)  # nosec B506  # a SafeLoader
    if not isinstance(document, dict) or not str(document.get("openapi")).startswith("3.1"):
        raise DocumentError(f"{path.name} is not an OpenAPI 3.1 document")
    return document


def resolved(document: Node, node: Node) -> Node:
    """The node that `$ref` leads to, keywords beside the reference laid over it."""
    while "$ref" in node:
        target: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            try:
                target = target[part.replace("~1", "/").replace("~0", "~")]
            except (KeyError, TypeError) as error:
                raise DocumentError(f"{node['$ref']} leads nowhere") from error
        node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
    return node


def operations_of(document: Node, house: House) -> Iterator[Place]:
    """The operations that one house answers, in the document's order."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method not in item:
                continue
            if "x-house" not in item[method]:
                raise DocumentError(f"{method} {path} does not say its x-house")
            if item[method]["x-house"] == house:
                declared = [*item.get("parameters", ()), *item[method].get("parameters", ())]
                parameters = tuple(resolved(document, parameter) for parameter in declared)
                yield Place(path, method, item[method], parameters)
