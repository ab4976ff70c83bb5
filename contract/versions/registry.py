"""The versions in the order of their dates, and how one gets from the present to each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from types import ModuleType
from typing import Any, Final

from contract.answers import Answers
from contract.document import DocumentError, House, Node, operations_of, resolved
from contract.versions import v2025_09_15, v2026_04_01
from contract.versions.documents import older_document
from contract.versions.rendering import Render, chained, compile_render
from domain.api_versions import PRESENT, Life, Standing
from domain.refusals import Unprocessable

VERSIONS: Final[tuple[ModuleType, ...]] = (v2025_09_15, v2026_04_01)
DATES: Final[tuple[str, ...]] = tuple(version.DATE for version in VERSIONS)
OLDER_DATES: Final = DATES[:-1]
LIVES: Final[Mapping[str, Life]] = {
    version.DATE: version.LIFE for version in VERSIONS if version.LIFE is not None
}
# As it stands in the header `Paymint-Version`.
BY_HEADER: Final[Mapping[bytes, str]] = {date.encode("ascii"): date for date in DATES}
GUIDE_URL: Final = "https://docs.paymint.com/versioning"

if DATES[-1] != PRESENT or list(DATES) != sorted(set(DATES)) or PRESENT in LIVES:
    raise DocumentError("the versions are out of order, or the newest is not the present one")


def newer_than(date: str) -> tuple[ModuleType, ...]:
    """The versions after `date`, oldest first."""
    return VERSIONS[DATES.index(date) + 1 :]


def raised(date: str, operation_id: str, body: Any) -> Any:
    """A request's body of the version `date`, as the present version would have sent it."""
    for version in newer_than(date):
        body = version.up(operation_id, body)
    return body


def documents_by_date(present: Node) -> dict[str, Node]:
    """The document of every version, newest first, each made from the one after it."""
    found = {PRESENT: present}
    for index in range(len(VERSIONS) - 1, 0, -1):
        older = VERSIONS[index - 1]
        newer = found[VERSIONS[index].DATE]
        found[older.DATE] = older_document(newer, VERSIONS[index], older)
    return found


@dataclass(frozen=True, slots=True)
class Rendering:
    """How one operation answers in one older version.

    `renders` go by status; a status without one is answered as in the present version.
    `unknown_fields` are top-level fields of its resource that the version does not have.
    """

    date: str
    renders: Mapping[int, Render]
    answers: Answers
    unknown_fields: frozenset[str]

    def render(self, status: int, body: Any) -> Any:
        """The body of an answer as this version has it."""
        render = self.renders.get(status)
        return body if render is None else render(body)


def renderings_of(present: Node, house: House) -> dict[str, dict[str, Rendering]]:
    """For each operation of a house, how it answers in each older version."""
    documents = documents_by_date(present)
    nodes = {
        date: {place.node["operationId"]: place.node for place in operations_of(document, house)}
        for date, document in documents.items()
    }
    return {
        operation_id: {
            date: _rendering(date, operation_id, documents, nodes) for date in OLDER_DATES
        }
        for operation_id in nodes[PRESENT]
    }


def event_renders(present: Node) -> dict[str, Render]:
    """What renders an event of the present version in each older one."""
    documents = documents_by_date(present)
    schema = {"$ref": "#/components/schemas/Event"}
    found = {}
    for date in OLDER_DATES:
        render = chained([step for step in _steps(date, schema, documents) if step is not None])
        if render is not None:
            found[date] = render
    return found


def standing_headers(date: str) -> tuple[tuple[bytes, bytes], ...]:
    """The headers of an answer in a deprecated version (RFC 9745, RFC 8594)."""
    life = LIVES[date]
    sunset = format_datetime(life.sunset_at, usegmt=True)
    link = f'<{GUIDE_URL}#{date}>; rel="deprecation"; type="text/html", '
    link += f'<{GUIDE_URL}#timeline>; rel="sunset"; type="text/html"'
    return (
        (b"deprecation", b"@%d" % life.deprecated_at.timestamp()),
        (b"sunset", sunset.encode("ascii")),
        (b"link", link.encode("ascii")),
    )


def standing_of(date: str, moment: datetime) -> Standing:
    """What a version is at a moment of the business clock."""
    life = LIVES.get(date)
    return Standing.CURRENT if life is None else life.standing(moment)


def check_choice(date: str, moment: datetime) -> None:
    """Raises 422 `api_version_unavailable` for a version that was removed by `moment`."""
    if standing_of(date, moment) is Standing.REMOVED:
        raise Unprocessable("api_version_unavailable", "api_version")


def delivered_in(date: str, moment: datetime) -> str:
    """The version an event is delivered in where `date` is asked for.

    Brownouts are for requests: an event that is held back would be lost to its receiver.
    What was removed is delivered in the version that came after it.
    """
    if standing_of(date, moment) is not Standing.REMOVED:
        return date
    following: str = newer_than(date)[0].DATE
    return following


def _rendering(
    date: str,
    operation_id: str,
    documents: Mapping[str, Node],
    nodes: Mapping[str, Mapping[str, Node]],
) -> Rendering:
    renders = {}
    for status in nodes[PRESENT][operation_id]["responses"]:
        steps = []
        for version in reversed(newer_than(date)):
            document, node = documents[version.DATE], nodes[version.DATE][operation_id]
            schema = _schema(document, node["responses"][status])
            if schema is not None:
                steps.append(compile_render(document, schema, version, _before(version)))
        render = chained([step for step in steps if step is not None])
        if render is not None:
            renders[int(status)] = render
    older = nodes[date][operation_id]
    unknown = _unknown_fields(date, operation_id, documents, nodes)
    return Rendering(date, renders, Answers(documents[date], older), unknown)


def _steps(date: str, schema: Node, documents: Mapping[str, Node]) -> list[Render | None]:
    return [
        compile_render(documents[version.DATE], schema, version, _before(version))
        for version in reversed(newer_than(date))
    ]


def _before(version: ModuleType) -> str:
    """The date of the version that this one came after."""
    return DATES[DATES.index(version.DATE) - 1]


def _unknown_fields(
    date: str,
    operation_id: str,
    documents: Mapping[str, Node],
    nodes: Mapping[str, Mapping[str, Node]],
) -> frozenset[str]:
    document, node = documents[PRESENT], nodes[PRESENT][operation_id]
    schema = _schema(document, node["responses"].get("200", {}))
    if schema is None:
        return frozenset()
    resource = resolved(document, schema)
    if node.get("x-paginated"):
        resource = resolved(document, resource["properties"]["data"]["items"])
    if "properties" not in resource:
        return frozenset()
    unknown: set[str] = set()
    for version in newer_than(date):
        unknown |= version.hidden(resource)
    return frozenset(unknown)


def _schema(document: Node, response: Node) -> Node | None:
    content = resolved(document, response).get("content", {})
    if "application/json" not in content:
        return None
    schema: Node = content["application/json"]["schema"]
    return schema
