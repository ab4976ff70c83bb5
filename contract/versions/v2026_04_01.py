"""2026-04-01: resources are flat, pages go back, payments say more.

Before it every resource stood in an envelope `{object, id, data, livemode, created_at}`.  An
event did and does not: it is an envelope of its own, whose `data.object` holds the resource
and whose `type` and `api_version` a receiver has to find before it knows anything else.
"""

from collections.abc import Mapping
from typing import Any, Final

from contract.document import DocumentError, Node
from contract.versions.schemas import Components, Reshape, kind_of

DATE: Final = "2026-04-01"
CHANGES: Final = (
    "Resources are flat: the fields that stood in `data` stand beside `object` and `id`.",
    "Lists have `prev_cursor`.",
    "Payments have `amount_capturable`.",
    "Payments have `pending_reason`.",
    "Payments have `hold_id`.",
)
LIFE: Final = None
NEW_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "list": frozenset({"prev_cursor"}),
    "payment": frozenset({"amount_capturable", "hold_id", "pending_reason"}),
}
# What the document says otherwise where a field it speaks of was not there yet.
DESCRIPTIONS_BEFORE: Final[Mapping[tuple[str, str], str]] = {
    ("parameters", "EndingBefore"): (
        "A cursor, to get the page before it. Not together with `starting_after`."
    ),
}
ENVELOPE: Final = ("object", "id", "data", "livemode", "created_at")
_NAMED: Final = ("object", "id", "livemode", "created_at")
_DATA: Final = "data"


def up(operation_id: str, body: Any) -> Any:
    """Requests had the form they have now."""
    return body


def hidden(schema: Node) -> frozenset[str]:
    """The fields of an object of this schema that were not there before."""
    return NEW_FIELDS.get(kind_of(schema), frozenset()).intersection(schema["properties"])


def is_enveloped(schema: Node) -> bool:
    """Whether objects of this schema stood in the envelope."""
    named = schema["properties"].keys() >= set(_NAMED)
    return named and kind_of(schema) != "event"


def down(schema: Node) -> Reshape | None:
    """How an object of this schema was given before; None: as it is given now.

    The object may lack fields (`fields=`): what is not there is not put into the envelope.
    """
    gone = hidden(schema)
    if is_enveloped(schema):
        outside = gone.union(_NAMED)

        def enveloped(shown: dict[str, Any]) -> dict[str, Any]:
            data = {name: value for name, value in shown.items() if name not in outside}
            whole = {**shown, _DATA: data}
            return {name: whole[name] for name in ENVELOPE if name in whole}

        return enveloped
    if not gone:
        return None
    return lambda shown: {name: value for name, value in shown.items() if name not in gone}


def down_schema(name: str, schema: Node) -> Components:
    """The components that stood for this one, whose examples are given as before already.

    Raises DocumentError for a resource that the envelope could not hold.
    """
    gone = hidden(schema)
    properties = {key: value for key, value in schema["properties"].items() if key not in gone}
    required = [key for key in schema.get("required", ()) if key not in gone]
    if not is_enveloped(schema):
        return {name: {**schema, "properties": properties, "required": required}}
    if _DATA in properties:
        raise DocumentError(f"{name} has a field of its own that is called {_DATA}")
    inner = {key: value for key, value in properties.items() if key not in _NAMED}
    outer = {key: properties[key] for key in _NAMED}
    outer[_DATA] = {"$ref": f"#/components/schemas/{name}Data"}
    return {
        name: {
            **schema,
            "properties": {key: outer[key] for key in ENVELOPE},
            "required": list(ENVELOPE),
        },
        f"{name}Data": {
            "type": "object",
            "description": f"The fields of {name}.",
            "additionalProperties": False,
            "required": [key for key in required if key in inner],
            "properties": inner,
            "examples": [example[_DATA] for example in schema.get("examples", ())],
        },
    }
