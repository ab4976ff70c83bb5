"""Applications of partners, registered by the operator of the platform."""

import os
from typing import Any, Final

from domain import oauth_clients
from domain.callers import Asking
from domain.ids import from_text
from domain.refusals import Missing
from flows import pages
from flows.house import House
from flows.replies import Reply, earlier_reply, once
from models import oauth_clients as rows
from models.announcing import announce_all
from models.paging import read_page
from models.tables import OAUTH_CLIENTS
from runtime.database import Row, Transaction

CREATED: Final = 201


async def create_oauth_client(house: House, asking: Asking, body: dict[str, Any]) -> Reply:
    """A new client; the secret of a confidential one is shown here and never again.

    Raises 400 `parameter_invalid` for redirect URIs and scopes that it cannot have.
    """
    earlier = await earlier_reply(house, asking)
    if earlier is not None:
        return earlier
    first_party = body.get("first_party", False)
    oauth_clients.check_redirect_uris(body["redirect_uris"])
    oauth_clients.check_scopes(body["scopes"], first_party=first_party)
    secret, secret_hash = None, None
    if body["type"] == "confidential":
        secret = oauth_clients.compose_secret(os.urandom(oauth_clients.SECRET_BYTES))
        secret_hash = await house.client_secrets.hash(secret)

    async def change(transaction: Transaction) -> Reply:
        row = await rows.insert_client(
            transaction,
            id=house.new_id(),
            name=body["name"],
            type=body["type"],
            first_party=first_party,
            redirect_uris=body["redirect_uris"],
            scopes=body["scopes"],
            secret_hash=secret_hash,
            created_at=house.clock.now(),
        )
        return Reply(CREATED, oauth_clients.resource(row, secret))

    return await once(house, asking, change)


async def list_oauth_clients(house: House, query: dict[str, Any]) -> dict[str, Any]:
    """A page of the clients that were not deleted, newest first."""
    asked = pages.ask(query)
    async with house.database.reading() as transaction:
        page = await read_page(transaction, OAUTH_CLIENTS, asked.page)
        total = None if asked.filtered_by else await rows.count_clients(transaction)
    return pages.envelope(asked, page, oauth_clients.resource, total)


async def retrieve_oauth_client(house: House, client_id: str) -> dict[str, Any]:
    """One client without its secret, or 404."""
    async with house.database.reading() as transaction:
        return oauth_clients.resource(await _found(transaction, client_id))


async def update_oauth_client(house: House, client_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Change name, redirect URIs or scopes; what was granted before keeps its scopes.

    Raises 400 `parameter_invalid`, 404.
    """
    async with house.database.transaction() as transaction:
        row = await _found(transaction, client_id, held=True)
        row = {**row, **body}
        oauth_clients.check_redirect_uris(row["redirect_uris"])
        oauth_clients.check_scopes(row["scopes"], first_party=row["first_party"])
        return oauth_clients.resource(await rows.save_client(transaction, row))


async def delete_oauth_client(house: House, client_id: str) -> dict[str, Any]:
    """Delete a client: its tokens are refused everywhere within a second; 404 afterwards."""
    async with house.database.transaction() as transaction:
        row = await _found(transaction, client_id, held=True)
        await rows.save_client(transaction, row, house.clock.now())
        await announce_all(transaction)
    return oauth_clients.deleted(row["id"])


async def _found(transaction: Transaction, client_id: str, *, held: bool = False) -> Row:
    identifier = from_text("clt", client_id)
    row = None
    if identifier is not None:
        find = rows.lock_client if held else rows.find_client
        row = await find(transaction, identifier)
    if row is None:
        raise Missing("resource_missing", "oauth_client_id")
    return row
