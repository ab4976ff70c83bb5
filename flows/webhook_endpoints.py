"""Registering, reading and deleting webhook endpoints."""

import os
from typing import Any, Final
from uuid import UUID

from contract.versions.registry import check_choice
from domain import signatures, webhook_endpoints
from domain.callers import Asking
from domain.ids import from_text
from domain.refusals import Missing
from flows import pages
from flows.house import House
from flows.replies import Reply, once
from models.webhook_endpoints import (
    count_endpoints,
    delete_endpoint,
    insert_endpoint,
    lock_endpoints,
    read_endpoint,
    read_endpoints,
)
from runtime.database import Transaction

CREATED: Final = 201


async def create_webhook_endpoint(house: House, asking: Asking, body: dict[str, Any]) -> Reply:
    """A new endpoint with its secret, which no later answer shows.

    Raises 400 `url_not_https` or `url_not_public`, 422 `api_version_unavailable` or
    `webhook_endpoint_limit`.
    """
    allow_loopback = house.settings.allow_loopback_webhooks
    webhook_endpoints.check_url(body["url"], "url", allow_loopback=allow_loopback)
    caller = asking.caller
    secret = signatures.compose_secret(os.urandom(signatures.SECRET_BYTES))

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
            secret=secret,
            created_at=house.clock.now(),
        )
        return Reply(CREATED, webhook_endpoints.resource(row, secret))

    return await once(house, asking, change)


async def list_webhook_endpoints(
    house: House, asking: Asking, query: dict[str, Any]
) -> dict[str, Any]:
    """A page of the endpoints in the caller's mode, newest first."""
    asked = pages.ask(query)
    caller = asking.caller
    async with house.database.transaction() as transaction:
        page, total = await read_endpoints(
            transaction, caller.merchant_id, caller.livemode, asked.page
        )
    return pages.envelope(asked, page, webhook_endpoints.resource, total)


async def retrieve_webhook_endpoint(
    house: House, asking: Asking, endpoint_id: str
) -> dict[str, Any]:
    """One endpoint, or 404."""
    identifier, caller = _identifier(endpoint_id), asking.caller
    async with house.database.transaction() as transaction:
        row = await read_endpoint(transaction, caller.merchant_id, caller.livemode, identifier)
    if row is None:
        raise _missing()
    return webhook_endpoints.resource(row)


async def delete_webhook_endpoint(house: House, asking: Asking, endpoint_id: str) -> dict[str, Any]:
    """Delete an endpoint, or 404; what was queued for it is not sent any more.

    Deleting the merchant's own `webhook_url` clears it.
    """
    identifier, caller = _identifier(endpoint_id), asking.caller
    now = house.clock.now()
    async with house.database.transaction() as transaction:
        found = await delete_endpoint(
            transaction, caller.merchant_id, caller.livemode, identifier, now
        )
    if not found:
        raise _missing()
    return webhook_endpoints.deleted(identifier)


def _identifier(endpoint_id: str) -> UUID:
    identifier = from_text("whe", endpoint_id)
    if identifier is None:
        raise _missing()
    return identifier


def _missing() -> Missing:
    return Missing("resource_missing", "webhook_endpoint_id")
