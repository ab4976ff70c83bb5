"""What a merchant has granted to applications: seen and revoked by the merchant."""

from typing import Any
from uuid import UUID

from domain import oauth
from domain.callers import Asking
from domain.ids import from_text
from domain.refusals import Missing
from flows import pages
from flows.house import House
from models import oauth_grants as rows
from models.announcing import announce_merchant
from models.oauth_clients import client_names
from models.paging import read_page
from models.tables import OAUTH_GRANTS
from runtime.database import Row


async def list_oauth_grants(house: House, asking: Asking, query: dict[str, Any]) -> dict[str, Any]:
    """A page of the grants of the caller's merchant and mode that were not revoked."""
    caller = asking.caller
    asked = pages.ask(query)
    owner: dict[str, Any] = {"merchant_id": caller.merchant_id, "livemode": caller.livemode}
    async with house.database.reading() as transaction:
        page = await read_page(transaction, OAUTH_GRANTS, asked.page, **owner)
        total = None
        if not asked.filtered_by:
            total = await rows.count_grants(transaction, **owner)
        names = await client_names(transaction, {row["client_id"] for row in page.rows})

    def show(row: Row) -> dict[str, Any]:
        return oauth.grant_resource(row, _name(names, row))

    return pages.envelope(asked, page, show, total)


async def delete_oauth_grant(house: House, asking: Asking, grant_id: str) -> dict[str, Any]:
    """Revoke a grant with all its tokens, everywhere within a second; 404 afterwards."""
    caller, identifier = asking.caller, from_text("grt", grant_id)
    async with house.database.transaction() as transaction:
        found = None
        if identifier is not None:
            found = await rows.find_grant(
                transaction, caller.merchant_id, caller.livemode, identifier
            )
        if found is None:
            raise Missing("resource_missing", "oauth_grant_id")
        await rows.revoke_grant(transaction, caller.merchant_id, found["id"], house.clock.now())
        await announce_merchant(transaction, caller.merchant_id)
    return oauth.deleted_grant(found["id"])


def _name(names: dict[UUID, str], grant: Row) -> str:
    return names.get(grant["client_id"], "")
