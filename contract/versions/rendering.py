"""From a schema of the document to what renders its answers as the version before had them.

The schema says where objects stand in an answer, so that what merchants wrote themselves
(metadata) is never taken for one of ours.  Compiled once, when the process starts.
"""

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from contract.document import Node, resolved
from contract.versions.schemas import kind_of

Render = Callable[[Any], Any]


def compile_render(document: Node, schema: Node, version: ModuleType, older: str) -> Render | None:
    """What turns an answer of `version`, whose document this is, into one of `older`.

    None where both are the same.
    """
    whole = resolved(document, schema)

    def inside(child: Node) -> Render | None:
        return compile_render(document, child, version, older)

    if "oneOf" in whole:
        return _one_of(document, whole, inside)
    for part in whole.get("anyOf", ()):
        render = inside(part)
        if render is not None:
            # Beside a resource only `null` stands in an `anyOf` of this document.
            return _unless_null(render)
    if "items" in whole:
        render = inside(whole["items"])
        return None if render is None else _each(render)
    if "properties" in whole:
        return _object(whole, version, older, inside)
    return None


def _object(
    schema: Node, version: ModuleType, older: str, inside: Callable[[Node], Render | None]
) -> Render | None:
    children = {name: inside(child) for name, child in schema["properties"].items()}
    changing = {name: render for name, render in children.items() if render is not None}
    steps: list[Render] = [_with_children(changing)] if changing else []
    own = version.down(schema)
    if own is not None:
        steps.append(own)
    if kind_of(schema) == "event":
        # An event names the version that it is rendered in, in every version.
        steps.append(lambda shown: {**shown, "api_version": older})
    return chained(steps)


def chained(steps: list[Render]) -> Render | None:
    """One after the other; None for none."""
    if len(steps) <= 1:
        return steps[0] if steps else None

    def render(value: Any) -> Any:
        for step in steps:
            value = step(value)
        return value

    return render


def _by_required(
    document: Node, schema: Node, inside: Callable[[Node], Render | None]
) -> Render | None:
    """Alternatives that are told apart by what they require (an item's payment or its error)."""
    renders = []
    for part in schema["oneOf"]:
        render = inside(part)
        if render is not None:
            renders.append((frozenset(resolved(document, part).get("required", ())), render))
    if not renders:
        return None

    def chosen(shown: dict[str, Any]) -> Any:
        for required, render in renders:
            if required <= shown.keys():
                return render(shown)
        return shown

    return chosen


def _with_children(children: Mapping[str, Render]) -> Render:
    def render(shown: dict[str, Any]) -> dict[str, Any]:
        changed = {name: each(shown[name]) for name, each in children.items() if name in shown}
        return {**shown, **changed}

    return render


def _each(render: Render) -> Render:
    return lambda items: [render(item) for item in items]


def _unless_null(render: Render) -> Render:
    return lambda value: None if value is None else render(value)


def _one_of(document: Node, schema: Node, inside: Callable[[Node], Render | None]) -> Render | None:
    if "discriminator" not in schema:
        return _by_required(document, schema, inside)
    name = schema["discriminator"]["propertyName"]
    mapping = schema["discriminator"]["mapping"]
    renders = {value: inside({"$ref": reference}) for value, reference in mapping.items()}
    if not any(renders.values()):
        return None

    def render(shown: dict[str, Any]) -> dict[str, Any]:
        # An object of a kind that the document does not know is left as it is.
        chosen = renders.get(shown[name])
        return shown if chosen is None else chosen(shown)

    return render
