"""The 3.0.3 view of the document that Connexion loads.

Connexion 3.3 refuses 3.1 documents and would validate with JSON Schema Draft 4.  It gets
paths, operation ids, tags, security and `x-` extensions, derived in memory at every start;
schemas stay in the document and are compiled by `contract.shapes`.
"""

from contract.document import House, Node, Place, operations_of

# What Connexion does not hand on: which of the document's schemes it is, and who grants what.
SCHEME_NAME = "x-scheme-name"
GRANTS = "x-scope-grants"
KEPT_FIELDS = ("operationId", "tags", "security")


def routing_view(document: Node, house: House = "gateway") -> Node:
    """A document for Connexion with the operations of one house and nothing to validate."""
    paths: dict[str, Node] = {}
    for place in operations_of(document, house):
        paths.setdefault(place.path, {})[place.method] = _operation(place)
    info = {key: document["info"][key] for key in ("title", "version")}
    return {
        "openapi": "3.0.3",
        "info": info,
        "paths": paths,
        "components": {"securitySchemes": _schemes(document)},
    }


def _schemes(document: Node) -> Node:
    """Every scheme as a bearer scheme: keys and access tokens come by the same header."""
    declared = document["components"]["securitySchemes"]
    grants = declared["SecretKey"][GRANTS]
    return {
        name: {"type": "http", "scheme": "bearer", SCHEME_NAME: name, GRANTS: grants}
        for name in declared
    }


def _operation(place: Place) -> Node:
    kept = {
        key: value
        for key, value in place.node.items()
        if key in KEPT_FIELDS or key.startswith("x-")
    }
    in_path = [
        {"name": each["name"], "in": "path", "required": True, "schema": {"type": "string"}}
        for each in place.parameters
        if each["in"] == "path"
    ]
    answers = {str(status): {"description": "-"} for status in place.node["responses"]}
    return {**kept, "parameters": in_path, "responses": answers}
