"""The document of an older version, made from that of the version after it."""

import copy
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from contract.document import Node, resolved
from contract.versions.rendering import compile_render

_BODY_POINTER = "$response.body#/"
_DEPRECATION_HEADERS = ("Deprecation", "Sunset", "Link")


def older_document(newer: Node, version: ModuleType, older: ModuleType) -> Node:
    """The document of `older`; `newer` is that of `version`, and is not changed.

    Examples are rendered with the very functions that render answers, so the document shows
    what is answered.
    """
    told = copy.deepcopy(newer)
    told["info"]["version"] = older.DATE
    for node in _media(told):
        _tell_examples(newer, told, node, version, older.DATE)
    for response in _responses(told):
        _tell_links(newer, told, response, version)
    _tell_schemas(newer, told, version, older.DATE)
    parameter = told["components"]["parameters"].get("PaymintVersion")
    if parameter is not None:
        parameter["schema"]["const"] = parameter["example"] = older.DATE
    for (group, name), text in version.DESCRIPTIONS_BEFORE.items():
        if name in told["components"][group]:
            told["components"][group][name]["description"] = text
    if older.LIFE is not None:
        told["info"]["description"] += (
            f"\n**This version is deprecated.** It is removed on {older.LIFE.sunset_at:%Y-%m-%d}.\n"
        )
        _tell_deprecation(told)
    return told


def _walk(node: Any) -> Iterator[Node]:
    """Every mapping of the document; example values are data, and left out."""
    if isinstance(node, dict):
        yield node
        for key, value in node.items():
            if key not in ("example", "examples") or "schema" in node:
                yield from _walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from _walk(value)


def _media(told: Node) -> list[Node]:
    """Every media type that has a schema and examples."""
    return [node for node in _walk(told) if "schema" in node and "examples" in node]


def _responses(told: Node) -> list[Node]:
    return [node for node in _walk(told) if "content" in node and "links" in node]


def _tell_examples(
    newer: Node, told: Node, media: Node, version: ModuleType, older_date: str
) -> None:
    render = compile_render(newer, media["schema"], version, older_date)
    if render is None:
        return
    before = newer["components"]["examples"]
    for name, example in media["examples"].items():
        if "$ref" in example:
            # Named examples are shared: each is rendered from what it was, however often.
            shared = example["$ref"].rsplit("/", 1)[1]
            target = told["components"]["examples"][shared]
            target["value"] = render(before[shared]["value"])
        else:
            media["examples"][name] = {**example, "value": render(example["value"])}


def _tell_links(newer: Node, told: Node, response: Node, version: ModuleType) -> None:
    """Pointers into an enveloped body lead through its `data`."""
    media = response["content"].get("application/json", {})
    schema = resolved(newer, media.get("schema", {}))
    if "properties" not in schema or not version.is_enveloped(schema):
        return
    for link in response["links"].values():
        # The same named link stands in several answers; a moved pointer is not moved again.
        told_link = resolved(told, link)
        for pointers in (told_link.get("parameters", {}), told_link.get("requestBody", {})):
            _lead_through_data(pointers, version)


def _lead_through_data(pointers: Node, version: ModuleType) -> None:
    for name, pointer in pointers.items():
        field = pointer.removeprefix(_BODY_POINTER)
        if pointer.startswith(_BODY_POINTER) and field.split("/")[0] not in version.ENVELOPE:
            pointers[name] = f"{_BODY_POINTER}data/{field}"


def _tell_schemas(newer: Node, told: Node, version: ModuleType, older_date: str) -> None:
    schemas: Mapping[str, Node] = newer["components"]["schemas"]
    components: Node = {}
    for name, schema in schemas.items():
        render = compile_render(newer, schema, version, older_date)
        own = told["components"]["schemas"][name]
        if render is None:
            components[name] = own
            continue
        own["examples"] = [render(example) for example in schema.get("examples", ())]
        components.update(version.down_schema(name, own) if "properties" in own else {name: own})
    told["components"]["schemas"] = components


def _tell_deprecation(told: Node) -> None:
    """Every answer of a deprecated version says so."""
    known = [name for name in _DEPRECATION_HEADERS if name in told["components"]["headers"]]
    for node in _walk(told):
        # An answer has a description; what has none is the place of the named headers.
        if "description" in node and "Paymint-Version" in node.get("headers", {}):
            for name in known:
                node["headers"][name] = {"$ref": f"#/components/headers/{name}"}
