"""Reading and changing one's own merchant account."""

from typing import Any

from contract.versions.registry import check_choice
from domain import merchants, webhook_endpoints
from domain.callers import Asking
from domain.ids import from_text
from domain.preconditions import check_revision
from domain.refusals import Missing
from flows.house import House
from models.announcing import announce_merchant
from models.merchants import lock_merchant, read_merchant, save_merchant
from models.webhook_endpoints import (
    count_endpoints,
    lock_endpoints,
    merchant_url,
    set_merchant_url,
)
from runtime.database import Transaction

# What a merchant may change of itself, beside the webhook URL, which is an endpoint.
_OWN_FIELDS = ("business_name", "api_version")


async def retrieve_merchant(house: House, asking: Asking, merchant_id: str) -> dict[str, Any]:
    """The caller's own merchant; every other id is 404."""
    _check_own(asking, merchant_id)
    async with house.database.transaction() as transaction:
        return await _shown(transaction, asking)


async def update_merchant(
    house: House, asking: Asking, merchant_id: str, body: dict[str, Any]
) -> dict[str, Any]:
    """Change what `body` names: business_name, webhook_url (None clears it), api_version.

    Raises 400 `url_not_https` or `url_not_public`, 404, 412, 422 `api_version_unavailable`
    or `webhook_endpoint_limit`.
    """
    url = body.get("webhook_url")
    if url is not None:
        allow_loopback = house.settings.allow_loopback_webhooks
        webhook_endpoints.check_url(url, "webhook_url", allow_loopback=allow_loopback)
    _check_own(asking, merchant_id)
    async with house.database.transaction() as transaction:
        row = await lock_merchant(transaction, asking.caller.merchant_id)
        check_revision(asking.if_match, row["revision"])
        if "api_version" in body:
            check_choice(body["api_version"], asking.caller.business_now(house.clock.now()))
        if "webhook_url" in body:
            await _set_url(transaction, asking, url)
        own = {name: body[name] for name in _OWN_FIELDS if name in body}
        await save_merchant(transaction, {**row, **own})
        await announce_merchant(transaction, row["id"])
        return await _shown(transaction, asking)


async def _set_url(transaction: Transaction, asking: Asking, url: str | None) -> None:
    merchant_id, livemode = asking.caller.merchant_id, asking.caller.livemode
    before = await lock_endpoints(transaction, merchant_id, livemode)
    if url is not None and before["url"] is None:
        webhook_endpoints.check_room(await count_endpoints(transaction, merchant_id, livemode))
    await set_merchant_url(transaction, merchant_id, livemode, url)


async def _shown(transaction: Transaction, asking: Asking) -> dict[str, Any]:
    caller = asking.caller
    row = await read_merchant(transaction, caller.merchant_id)
    url = await merchant_url(transaction, caller.merchant_id, caller.livemode)
    return merchants.resource(row, url, caller.livemode)


def _check_own(asking: Asking, merchant_id: str) -> None:
    if from_text("mch", merchant_id) != asking.caller.merchant_id:
        raise Missing("resource_missing", "merchant_id")
