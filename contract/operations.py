"""Every operation of a house, compiled once at the start of its process."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from contract.answers import Answers
from contract.bodies import Body
from contract.document import DocumentError, House, Node, Place, operations_of
from contract.fieldsets import PARAMETER as FIELDS
from contract.fieldsets import Fieldset, fieldset_of
from contract.parameters import Parameters
from contract.versions.registry import Rendering, renderings_of

# What each extension may say; one that is missing or unknown stops the start.
EXTENSIONS: Final[Mapping[str, tuple[object, ...]]] = {
    "x-house": ("gateway", "vault"),
    "x-idempotency": ("required", "accepted", "items", "none"),
    "x-rate-limit": ("standard", "publishable", "public", "none"),
    "x-max-body-bytes": (0, 262_144, 1_048_576),
    "x-cache": ("no-store", "private-no-cache", "private-300", "public-86400"),
}
# What takes a card or moves money with one says `x-card-data: true`: it is refused while
# audit entries cannot be stored.
CARD_DATA: Final = "x-card-data"
OTHER_EXTENSIONS = (CARD_DATA, "x-errors", "x-item-errors", "x-sdk", "x-paginated", "x-oauth")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One alternative of an operation's security: the kind of key and the scopes it needs."""

    scheme: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: what the pipeline needs of the document, nothing left to look up.

    `path` is the template (`/v1/payments/{payment_id}`), `method` upper-case, `body` None
    where the operation takes none, `fieldset` where `fields` cannot be asked for.
    `requirements` is empty where no key is needed.  `older` tells by version how it answers
    in those before the present one.  `oauth`: it follows RFC 6749, which has error bodies of its
    own and lets unknown parameters be.
    """

    operation_id: str
    tag: str
    method: str
    path: str
    idempotency: str
    rate_limit: str
    max_body_bytes: int
    cache: str
    errors: frozenset[str]
    card_data: bool
    requirements: tuple[Requirement, ...]
    parameters: Parameters
    body: Body | None
    answers: Answers
    fieldset: Fieldset | None
    older: Mapping[str, Rendering]
    oauth: bool = False


def compile_operations(document: Node, house: House) -> dict[str, Operation]:
    """The operations of a house by id; raises DocumentError when the document lacks something."""
    operations: dict[str, Operation] = {}
    older = renderings_of(document, house)
    for place in operations_of(document, house):
        operation = _compiled(document, place, older)
        if operation.operation_id in operations:
            raise DocumentError(f"two operations are called {operation.operation_id}")
        operations[operation.operation_id] = operation
    return operations


def _compiled(
    document: Node, place: Place, older: Mapping[str, Mapping[str, Rendering]]
) -> Operation:
    node = place.node
    _check_extensions(place)
    body = node.get("requestBody")
    max_body_bytes: int = node["x-max-body-bytes"]
    oauth = bool(node.get("x-oauth"))
    parameters = Parameters(document, place.parameters, open_to_others=oauth)
    return Operation(
        operation_id=node["operationId"],
        tag=node["tags"][0],
        method=place.method.upper(),
        path=place.path,
        idempotency=node["x-idempotency"],
        rate_limit=node["x-rate-limit"],
        max_body_bytes=max_body_bytes,
        cache=node["x-cache"],
        errors=frozenset(node["x-errors"]),
        card_data=node.get(CARD_DATA, False),
        requirements=tuple(_requirements(place)),
        parameters=parameters,
        body=None if body is None else Body(document, body, max_body_bytes),
        answers=Answers(document, node),
        fieldset=fieldset_of(document, node) if FIELDS in parameters.query else None,
        older=older[node["operationId"]],
        oauth=oauth,
    )


def _check_extensions(place: Place) -> None:
    name, node = f"{place.method} {place.path}", place.node
    for extension, legal in EXTENSIONS.items():
        if node.get(extension) not in legal:
            raise DocumentError(f"{name}: {extension} is missing or unknown")
    if node.get(CARD_DATA, True) is not True:
        raise DocumentError(f"{name}: {CARD_DATA} is true or left out")
    if CARD_DATA in node and "service_unavailable" not in node.get("x-errors", ()):
        raise DocumentError(f"{name}: {CARD_DATA} can be answered service_unavailable")
    if not node.get("x-errors"):
        raise DocumentError(f"{name}: x-errors is missing")
    given = {key for key in node if key.startswith("x-")}
    for key in given - EXTENSIONS.keys() - set(OTHER_EXTENSIONS):
        raise DocumentError(f"{name}: no code knows {key}")
    if ("requestBody" in node) != bool(node["x-max-body-bytes"]):
        raise DocumentError(f"{name}: x-max-body-bytes and requestBody disagree")


def _requirements(place: Place) -> list[Requirement]:
    security: list[dict[str, Any]] | None = place.node.get("security")
    if security is None:
        raise DocumentError(f"{place.method} {place.path}: security must be stated")
    requirements = []
    for alternative in security:
        # `{}` would let an invalid key pass as none, and two schemes at once are not ours.
        if len(alternative) != 1:
            raise DocumentError(f"{place.method} {place.path}: one scheme per alternative")
        ((scheme, scopes),) = alternative.items()
        requirements.append(Requirement(scheme, frozenset(scopes)))
    return requirements
