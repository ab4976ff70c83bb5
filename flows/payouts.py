"""Reading payouts, and what each of them covers."""

from typing import Any, Final
from uuid import UUID

from domain import cursors, payout_reports, payouts
from domain.callers import Asking
from domain.ids import from_text
from domain.refusals import Malformed, Missing
from flows import pages
from flows.house import House
from models.paging import read_counted_page
from models.payout_reports import lines_of, settlements_of
from models.payouts import Account, read_payout
from models.tables import PAYOUTS
from runtime.database import Row, Transaction

DEFAULT_LINES: Final = 1000
_REPORT: Final = "payout_report"


async def list_payouts(house: House, asking: Asking, query: dict[str, Any]) -> dict[str, Any]:
    """A page of the merchant's payouts; the total is exact where a counter fits."""
    asked = pages.ask(query, {"status": query.get("status")})
    caller = asking.caller
    async with house.database.reading() as transaction:
        page, total = await read_counted_page(
            transaction, PAYOUTS, asked.page, caller.merchant_id, caller.livemode
        )
    return pages.envelope(asked, page, payouts.resource, total)


async def retrieve_payout(house: House, asking: Asking, payout_id: str) -> dict[str, Any]:
    """The payout, or 404 where this merchant has none of this id in this mode."""
    async with house.database.reading() as transaction:
        return payouts.resource(await _found(transaction, asking, payout_id))


async def payout_report(
    house: House, asking: Asking, payout_id: str, query: dict[str, Any]
) -> dict[str, Any]:
    """A page of the transactions that a payout covers, and the sums of all of them; or 404.

    However many there are, one page is read and held.  Raises 400 `invalid_cursor` for a
    cursor that is not this report's.
    """
    limit = query.get("limit") or DEFAULT_LINES
    async with house.database.reading() as transaction:
        payout = await _found(transaction, asking, payout_id)
        covered = await settlements_of(transaction, payout)
        digest = cursors.digest_of(_REPORT, {"payout_id": payout["id"]})
        place = _place(query.get("starting_after"), digest, covered)
        lines: list[Row] = []
        for settlement_id, after in place:
            wanted = limit + 1 - len(lines)
            lines += await lines_of(transaction, payout, settlement_id, after, wanted)
            if len(lines) > limit:
                break
    following = None
    if len(lines) > limit:
        last = lines[limit - 1]
        following = cursors.to_text(cursors.Place(last["line"], last["settlement_id"]), digest)
    shown = payouts.resource(payout)
    return payout_reports.resource(shown, covered, lines[:limit], following)


def _place(cursor: str | None, digest: bytes, covered: list[Row]) -> list[tuple[UUID, int]]:
    """The settlements from a cursor on, each with the line behind which to go on."""
    ids: list[UUID] = [settlement["id"] for settlement in covered]
    if cursor is None:
        return [(each, 0) for each in ids]
    place = cursors.from_text(cursor, digest, by_time=False)
    if place is None or place.id not in ids or not isinstance(place.value, int):
        raise Malformed("invalid_cursor", "starting_after")
    first, *rest = ids[ids.index(place.id) :]
    return [(first, place.value), *((each, 0) for each in rest)]


async def _found(transaction: Transaction, asking: Asking, payout_id: str) -> Row:
    identifier, caller = from_text("pyt", payout_id), asking.caller
    payout = None
    if identifier is not None:
        account = Account(caller.merchant_id, caller.livemode)
        payout = await read_payout(transaction, account, identifier)
    if payout is None:
        raise Missing("resource_missing", "payout_id")
    return payout
