"""Merchants: opened and judged by the operator, read and changed by themselves."""

import os
from typing import Any, Final
from uuid import UUID

from contract.versions.registry import check_choice
from domain import alerts, merchants, production_access, signatures, webhook_endpoints
from domain.api_versions import PRESENT
from domain.callers import Asking
from domain.ids import from_text
from domain.preconditions import check_revision
from domain.refusals import Missing
from flows import pages
from flows.house import House
from flows.key_making import negotiate_limit
from flows.replies import Reply, once
from models import accounts
from models.alerts import resolve_alert
from models.announcing import announce_merchant
from models.merchants import lock_merchant, read_merchant, save_merchant
from models.paging import read_page
from models.production_access import approve, read_access
from models.sealed import WEBHOOK_SECRET
from models.tables import MERCHANTS
from models.test_clocks import business_now
from models.webhook_endpoints import (
    count_endpoints,
    lock_endpoints,
    merchant_url,
    merchant_urls,
    set_merchant_url,
)
from runtime.database import Row, Transaction

CREATED: Final = 201
_TEST_MODE: Final = False
_COUNTED: Final = frozenset({"status"})


async def create_merchant(house: House, asking: Asking, body: dict[str, Any]) -> Reply:
    """A merchant under review, with a place for its webhook URL in test mode, without keys.

    Raises 400 `url_not_https` or `url_not_public`.
    """
    url = body.get("webhook_url")
    _check_url(house, url)
    merchant_id = house.new_id()
    secret = signatures.compose_secret(os.urandom(signatures.SECRET_BYTES))
    sealed = await house.seals.seal(merchant_id, WEBHOOK_SECRET, secret.encode())

    async def change(transaction: Transaction) -> Reply:
        now = house.clock.now()
        row = await accounts.insert_merchant(
            transaction,
            id=merchant_id,
            business_name=body["business_name"],
            email=body.get("email"),
            mcc=body["mcc"],
            country=body["country"],
            status="pending_review",
            settlement_currency=body["settlement_currency"],
            api_version=PRESENT,
            created_at=now,
        )
        await transaction.run(
            accounts.INSERT_ENDPOINT,
            id=house.new_id(),
            merchant_id=merchant_id,
            livemode=_TEST_MODE,
            is_merchant_url=True,
            status="enabled",
            secret_sealed=sealed,
            created_at=now,
        )
        if url is not None:
            await set_merchant_url(transaction, merchant_id, _TEST_MODE, url)
        return Reply(CREATED, merchants.resource(row, url, _TEST_MODE))

    return await once(house, asking, change)


async def list_merchants(house: House, asking: Asking, query: dict[str, Any]) -> dict[str, Any]:
    """A page of all merchants for the operator; of itself alone for a merchant."""
    caller = asking.caller
    filters = {"status": query.get("status"), "country": query.get("country")}
    asked = pages.ask(query, filters)
    always = {} if caller.is_platform else {"id": caller.merchant_id}
    async with house.database.reading() as transaction:
        page = await read_page(transaction, MERCHANTS, asked.page, **always)
        total = None
        if not caller.is_platform and not asked.filtered_by:
            total = 1
        elif caller.is_platform and asked.filtered_by <= _COUNTED:
            total = await accounts.count_merchants(transaction, query.get("status"))
        ids = [row["id"] for row in page.rows]
        urls = await merchant_urls(transaction, ids, caller.livemode)

    def show(row: Row) -> dict[str, Any]:
        return merchants.resource(row, urls.get(row["id"]), caller.livemode)

    return pages.envelope(asked, page, show, total)


async def retrieve_merchant(house: House, asking: Asking, merchant_id: str) -> dict[str, Any]:
    """The caller's own merchant, any for the operator; every other id is 404."""
    identifier = _identifier(asking, merchant_id)
    async with house.database.reading() as transaction:
        return await _shown(transaction, asking, identifier)


async def update_merchant(
    house: House, asking: Asking, merchant_id: str, body: dict[str, Any]
) -> dict[str, Any]:
    """Change what `body` names; `webhook_url: None` clears it.

    Raises 400 `url_not_https` or `url_not_public`, 403 `insufficient_scope` or
    `live_key_required`, 404, 412, 422 `api_version_unavailable`, `webhook_endpoint_limit`,
    `merchant_unexpected_state`, `production_access_missing`, 503 where a new limit cannot be
    told to the vault.
    """
    merchants.check_may_change(asking.caller, body)
    _check_url(house, body.get("webhook_url"))
    identifier = _identifier(asking, merchant_id)
    async with house.database.transaction() as transaction:
        row = _found(await lock_merchant(transaction, identifier))
        check_revision(asking.if_match, row["revision"])
        if "api_version" in body:
            check_choice(body["api_version"], asking.caller.business_now(house.clock.now()))
        changed = {**row, **{name: body[name] for name in body if name in row}}
        if changed["status"] != row["status"]:
            changed |= await _step(house, transaction, row, changed["status"])
        if "webhook_url" in body:
            await _set_url(house, transaction, asking, body["webhook_url"])
        await save_merchant(transaction, changed)
        if "rate_limit_multiplier" in body:
            # Under the row's lock, so that of two changes the last is told last.
            times = changed["rate_limit_multiplier"]
            await negotiate_limit(house, asking.request_id, identifier, times)
        await announce_merchant(transaction, identifier)
        return await _shown(transaction, asking, identifier)


async def _step(
    house: House, transaction: Transaction, merchant: Row, after: str
) -> dict[str, Any]:
    """What a change of status brings with it beside the status."""
    before, now = merchant["status"], house.clock.now()
    merchants.check_step(before, after)
    if before == "pending_review" and after == "active":
        production_access.check_may_approve(await read_access(transaction, merchant["id"]))
        await approve(transaction, merchant["id"], now)
    await accounts.count_step(transaction, before, after)
    return {"terminated_at": now if after == "terminated" else None}


async def _set_url(house: House, transaction: Transaction, asking: Asking, url: str | None) -> None:
    merchant_id, livemode = asking.caller.merchant_id, asking.caller.livemode
    before = await lock_endpoints(transaction, merchant_id, livemode)
    if url is not None and before["url"] is None:
        webhook_endpoints.check_room(await count_endpoints(transaction, merchant_id, livemode))
    await set_merchant_url(transaction, merchant_id, livemode, url)
    about = alerts.about_endpoint(before["id"])
    now = await business_now(transaction, merchant_id, livemode, house.clock.now())
    await resolve_alert(transaction, merchant_id, livemode, about, now)


async def _shown(transaction: Transaction, asking: Asking, merchant_id: UUID) -> dict[str, Any]:
    row = _found(await read_merchant(transaction, merchant_id))
    url = await merchant_url(transaction, merchant_id, asking.caller.livemode)
    return merchants.resource(row, url, asking.caller.livemode)


def _check_url(house: House, url: str | None) -> None:
    if url is not None:
        allow_loopback = house.settings.allow_loopback_webhooks
        webhook_endpoints.check_url(url, "webhook_url", allow_loopback=allow_loopback)


def _identifier(asking: Asking, merchant_id: str) -> UUID:
    identifier = from_text("mch", merchant_id)
    own = asking.caller.is_platform or identifier == asking.caller.merchant_id
    if identifier is None or not own:
        raise _missing()
    return identifier


def _found(row: Row | None) -> Row:
    if row is None:
        raise _missing()
    return row


def _missing() -> Missing:
    return Missing("resource_missing", "merchant_id")
