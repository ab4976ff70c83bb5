"""Lists: from query parameters to a page of rows, from rows to the list envelope.

Every list flow reads the same way:

    asked = pages.ask(query, {"status": query.get("status")})
    async with house.database.transaction() as transaction:
        page = await read_page(transaction, PAYMENTS, asked.page, merchant_id=…, livemode=…)
        total = …
    return pages.envelope(asked, page, payments.resource, total)

`query` holds the validated query parameters of the document; `limit`, `starting_after`,
`ending_before`, `sort`, `created_gte` and `created_lte` are read from it where they are
there.  `filters` are equalities by column name, those that are None are left out; a list
below another resource (refunds of a payment) passes its parent as a filter, so that a
cursor of one parent is refused at another.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from domain import cursors, moments
from domain.refusals import Malformed
from models.paging import Page, PageQuery, Position
from runtime.database import Row

DEFAULT_LIMIT = 25
DEFAULT_SORT = "-created_at"
_TIME_COLUMN = "created_at"


@dataclass(frozen=True, slots=True)
class Asked:
    """A page that was asked for: the query, and what ties its cursors to it."""

    page: PageQuery
    digest: bytes

    @property
    def filtered_by(self) -> frozenset[str]:
        """Names of what narrows the list; a total is exact only where a counter fits them."""
        return self.page.filtered_by


def ask(
    query: Mapping[str, Any],
    filters: Mapping[str, Any] | None = None,
    sort: str = DEFAULT_SORT,
) -> Asked:
    """The page that these query parameters ask for.

    Raises 400 `parameters_exclusive` for both cursors at once and 400 `invalid_cursor` for
    one that is malformed or was made with other filters or another sort.
    """
    sort = query.get("sort") or sort
    chosen = {name: value for name, value in (filters or {}).items() if value is not None}
    since, until = _moment(query, "created_gte"), _moment(query, "created_lte")
    digest = cursors.digest_of(sort, {**chosen, "created_gte": since, "created_lte": until})
    after, before = query.get("starting_after"), query.get("ending_before")
    if after is not None and before is not None:
        raise Malformed("parameters_exclusive", "ending_before")
    start = None
    if after is not None:
        start = _position(after, "starting_after", sort, digest)
    elif before is not None:
        start = _position(before, "ending_before", sort, digest)
    page = PageQuery(
        sort=sort,
        limit=query.get("limit") or DEFAULT_LIMIT,
        start=start,
        backwards=before is not None,
        filters=chosen,
        since=since,
        until=until,
    )
    return Asked(page, digest)


def envelope(
    asked: Asked, page: Page, show: Callable[[Row], dict[str, Any]], total: int | None
) -> dict[str, Any]:
    """The list as the API answers it; `show` turns a row into its resource."""
    rows, ended_at, backwards = page.rows, page.ended_at, asked.page.backwards
    # Paging backwards we came from what follows, so there is something after this page.
    goes_on = bool(rows) and (backwards or page.more)
    following = _cursor(asked, rows[-1]) if goes_on else None
    before = _cursor(asked, rows[0]) if rows else None
    if ended_at is not None:
        end = cursors.to_text(cursors.Place(ended_at.value, ended_at.id), asked.digest)
        following, before = (following, end) if backwards else (end, before)
    return {
        "object": "list",
        "data": [show(row) for row in rows],
        "has_more": page.more,
        "next_cursor": following,
        "prev_cursor": before,
        "total_count": total,
    }


def _cursor(asked: Asked, row: Row) -> str:
    value = row[asked.page.sort.removeprefix("-")]
    return cursors.to_text(cursors.Place(value, row["id"]), asked.digest)


def _position(text: str, parameter: str, sort: str, digest: bytes) -> Position:
    by_time = sort.removeprefix("-") == _TIME_COLUMN
    place = cursors.from_text(text, digest, by_time=by_time)
    if place is None:
        raise Malformed("invalid_cursor", parameter)
    return Position(place.value, place.id)


def _moment(query: Mapping[str, Any], name: str) -> Any:
    text = query.get(name)
    return None if text is None else moments.from_text(text)
