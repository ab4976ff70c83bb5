"""The operations tagged `payouts`."""

from typing import Any
from urllib.parse import urlencode

from contract.sheets import sheet_of
from domain.payout_reports import COLUMNS
from flows import payouts as flow
from handlers.http import Answer, Request

CSV = "csv"


async def list_payouts(request: Request) -> Answer:
    return Answer(200, await flow.list_payouts(request.house, request.caller, request.query))


async def retrieve_payout(request: Request) -> Answer:
    payout_id = request.path["payout_id"]
    shown = await flow.retrieve_payout(request.house, request.caller, payout_id)
    return Answer(200, shown, resource_id=payout_id)


async def retrieve_payout_report(request: Request) -> Answer:
    payout_id = request.path["payout_id"]
    report = await flow.payout_report(request.house, request.caller, payout_id, request.query)
    headers = _next_page(request, report["next_cursor"])
    if request.query.get("format") != CSV:
        return Answer(200, report, resource_id=payout_id, headers=headers)
    rows = ([line[name] for name in COLUMNS] for line in report["data"])
    filename = f'attachment; filename="{payout_id}.csv"'.encode("ascii")
    named = (*headers, (b"content-disposition", filename))
    return Answer(200, sheet_of(COLUMNS, rows), resource_id=payout_id, headers=named)


def _next_page(request: Request, cursor: str | None) -> tuple[tuple[bytes, bytes], ...]:
    """The header that leads to the next page, for those who read no JSON."""
    if cursor is None:
        return ()
    kept: dict[str, Any] = {
        name: request.query[name] for name in ("format", "limit", "fields") if name in request.query
    }
    query = urlencode({**kept, "starting_after": cursor})
    path = f"/v1/payouts/{request.path['payout_id']}/report?{query}"
    return ((b"link", f'<{path}>; rel="next"'.encode("ascii")),)
