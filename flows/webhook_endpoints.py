"""Registering, reading, changing and deleting webhook endpoints.

Endpoints are locked after the merchant, whose `webhook_url` one of them is.
"""

import os
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from contract.versions.registry import check_choice
from domain import alerts, signatures, webhook_endpoints
from domain.callers import Asking
from domain.ids import from_text
from domain.preconditions import check_revision
from domain.refusals import Missing
from flows import pages
from flows.house import House
from flows.replies import Reply, once
from models.alerts import resolve_alert
from models.announcing import announce_merchant
from models.merchants import lock_merchant, mark_merchant_changed
from models.sealed import WEBHOOK_SECRET
from models.test_clocks import business_now
from models.webhook_endpoints import (
    count_endpoints,
    delete_endpoint,
    insert_endpoint,
    lock_endpoint,
    lock_endpoints,
    read_endpoint,
    read_endpoints,
    roll_secret,
    save_endpoint,
)
from runtime.database import Row, Transaction

OK: Final = 200
CREATED: Final = 201


async def create_webhook_endpoint(house: House, asking: Asking, body: dict[str, Any]) -> Reply:
    """A new endpoint with its secret, which no later answer shows.

    Raises 400 `url_not_https` or `url_not_public`, 422 `api_version_unavailable` or
    `webhook_endpoint_limit`.
    """
    allow_loopback = house.settings.allow_loopback_webhooks
    webhook_endpoints.check_url(body["url"], "url", allow_loopback=allow_loopback)
    caller = asking.caller
    secret, now = _new_secret(), house.clock.now()
    sealed = await house.seals.seal(caller.merchant_id, WEBHOOK_SECRET, secret.encode())

    async def change(transaction: Transaction) -> Reply:
        if body.get("api_version") is not None:
            check_choice(body["api_version"], caller.business_now(house.clock.now()))
        await lock_endpoints(transaction, caller.merchant_id, caller.livemode)
        existing = await count_endpoints(transaction, caller.merchant_id, caller.livemode)
        webhook_endpoints.check_room(existing)
        row = await insert_endpoint(
            transaction,
            id=house.new_id(),
            merchant_id=caller.merchant_id,
            livemode=caller.livemode,
            url=body["url"],
            enabled_events=body.get("enabled_events"),
            api_version=body.get("api_version"),
            description=body.get("description"),
            secret_sealed=sealed,
            created_at=now,
        )
        return Reply(CREATED, webhook_endpoints.resource(row, now, secret))

    return await once(house, asking, change)


async def list_webhook_endpoints(
    house: House, asking: Asking, query: dict[str, Any]
) -> dict[str, Any]:
    """A page of the endpoints in the caller's mode, and how many there are."""
    asked = pages.ask(query, {"status": query.get("status")})
    caller = asking.caller
    async with house.database.transaction() as transaction:
        page, total = await read_endpoints(
            transaction, caller.merchant_id, caller.livemode, asked.page
        )
    now = house.clock.now()
    return pages.envelope(
        asked, page, lambda endpoint: webhook_endpoints.resource(endpoint, now), total
    )


async def retrieve_webhook_endpoint(
    house: House, asking: Asking, endpoint_id: str
) -> dict[str, Any]:
    """One endpoint, or 404."""
    identifier, caller = _identifier(endpoint_id), asking.caller
    async with house.database.transaction() as transaction:
        row = await read_endpoint(transaction, caller.merchant_id, caller.livemode, identifier)
    if row is None:
        raise _missing()
    return webhook_endpoints.resource(row, house.clock.now())


async def update_webhook_endpoint(
    house: House, asking: Asking, endpoint_id: str, body: dict[str, Any]
) -> dict[str, Any]:
    """Change what `body` names; enabling a disabled endpoint resolves its alert.

    Raises 400 `url_not_https` or `url_not_public`, 404, 412, 422 `api_version_unavailable`.
    """
    if "url" in body:
        allow_loopback = house.settings.allow_loopback_webhooks
        webhook_endpoints.check_url(body["url"], "url", allow_loopback=allow_loopback)
    identifier, now = _identifier(endpoint_id), house.clock.now()
    async with house.database.transaction() as transaction:
        before = await _lock(transaction, asking, identifier)
        check_revision(asking.if_match, before["revision"])
        if body.get("api_version") is not None:
            check_choice(body["api_version"], asking.caller.business_now(now))
        changed = webhook_endpoints.merged(before, body)
        row = await save_endpoint(transaction, before, changed)
        if webhook_endpoints.is_enabled_again(before, row):
            await _resolve_alert(transaction, row, now)
        if row["url"] != before["url"]:
            await _mark_merchant(transaction, row)
    return webhook_endpoints.resource(row, now)


async def roll_webhook_secret(house: House, asking: Asking, endpoint_id: str) -> Reply:
    """Give an endpoint a new secret, or 404; for 24 hours the old one signs as well."""
    identifier, now = _identifier(endpoint_id), house.clock.now()
    secret = _new_secret()
    owner = asking.caller.merchant_id
    sealed = await house.seals.seal(owner, WEBHOOK_SECRET, secret.encode())

    async def change(transaction: Transaction) -> Reply:
        endpoint = await _lock(transaction, asking, identifier)
        until = now + webhook_endpoints.SECRETS_OVERLAP
        row = await roll_secret(transaction, endpoint, sealed, until)
        return Reply(OK, webhook_endpoints.resource(row, now, secret))

    return await once(house, asking, change)


async def delete_webhook_endpoint(house: House, asking: Asking, endpoint_id: str) -> dict[str, Any]:
    """Delete an endpoint, or 404; what was queued for it is not sent any more.

    Deleting the merchant's own `webhook_url` clears it.
    """
    identifier, caller = _identifier(endpoint_id), asking.caller
    now = house.clock.now()
    async with house.database.transaction() as transaction:
        row = await _lock(transaction, asking, identifier)
        await delete_endpoint(transaction, caller.merchant_id, caller.livemode, identifier, now)
        await _resolve_alert(transaction, row, now)
        await _mark_merchant(transaction, row)
    return webhook_endpoints.deleted(identifier)


async def _lock(transaction: Transaction, asking: Asking, identifier: UUID) -> Row:
    """The endpoint, or 404; with the merchant locked first where it is its `webhook_url`."""
    name = (asking.caller.merchant_id, asking.caller.livemode, identifier)
    row = await read_endpoint(transaction, *name)
    if row is not None and row["is_merchant_url"]:
        await lock_merchant(transaction, row["merchant_id"])
    row = await lock_endpoint(transaction, *name)
    if row is None:
        raise _missing()
    return row


async def _mark_merchant(transaction: Transaction, endpoint: Row) -> None:
    """The merchant shows the address of its own endpoint, so it has changed as well."""
    if endpoint["is_merchant_url"]:
        await mark_merchant_changed(transaction, endpoint["merchant_id"])
        await announce_merchant(transaction, endpoint["merchant_id"])


async def _resolve_alert(transaction: Transaction, endpoint: Row, now: datetime) -> None:
    merchant_id, livemode = endpoint["merchant_id"], endpoint["livemode"]
    at = await business_now(transaction, merchant_id, livemode, now)
    about = alerts.about_endpoint(endpoint["id"])
    await resolve_alert(transaction, merchant_id, livemode, about, at)


def _new_secret() -> str:
    return signatures.compose_secret(os.urandom(signatures.SECRET_BYTES))


def _identifier(endpoint_id: str) -> UUID:
    identifier = from_text("whe", endpoint_id)
    if identifier is None:
        raise _missing()
    return identifier


def _missing() -> Missing:
    return Missing("resource_missing", "webhook_endpoint_id")
