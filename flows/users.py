"""A merchant's users as its administrators see them: invited, unlocked, deleted.

Users belong to no mode.  Whoever changes them holds the merchant, so that their number stays
below the limit.
"""

from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from domain import people
from domain.callers import Asking
from domain.ids import from_text
from domain.refusals import Missing
from flows import pages
from flows.house import House
from flows.inviting import prepare_invitation, store_invitation
from flows.replies import Reply, earlier_reply, once
from models import people as stored
from models import sessions
from models.announcing import announce_merchant
from models.oauth_grants import end_grants_of
from models.paging import read_page
from models.tables import SESSIONS, USERS
from runtime.database import Row, Transaction
from runtime.log import log

CREATED: Final = 201
OK: Final = 200


async def create_user(house: House, asking: Asking, body: dict[str, Any]) -> Reply:
    """Invite somebody; the link is shown here and never again.

    Raises 403 `live_key_required`, 422 `user_limit`, `user_email_taken`.
    """
    people.check_may_manage(asking.caller)
    earlier = await earlier_reply(house, asking)
    if earlier is not None:
        return _naming(earlier, body["email"], body["name"])
    merchant_id = asking.caller.merchant_id
    invitation = await prepare_invitation(house, merchant_id, body["email"], body["name"])

    async def change(transaction: Transaction) -> Reply:
        row = await store_invitation(transaction, merchant_id, invitation)
        link = {"invitation_url": invitation.link.reveal()}
        return Reply(CREATED, _nameless(house, asking, row) | link)

    # The same key comes with the same body, or is refused.
    return _naming(await once(house, asking, change), body["email"], body["name"])


async def list_users(house: House, asking: Asking, query: dict[str, Any]) -> dict[str, Any]:
    """A page of the users that were not deleted, newest first."""
    asked, merchant_id = pages.ask(query), asking.caller.merchant_id
    async with house.database.reading() as transaction:
        page = await read_page(transaction, USERS, asked.page, merchant_id=merchant_id)
        total = None
        if not asked.filtered_by:
            total = await stored.count_users(transaction, merchant_id)
    shown = {row["id"]: await _shown(house, asking, row) for row in page.rows}
    return pages.envelope(asked, page, lambda row: shown[row["id"]], total)


async def retrieve_user(house: House, asking: Asking, user_id: str) -> dict[str, Any]:
    """One user, or 404."""
    async with house.database.reading() as transaction:
        row = await _found(transaction, asking, user_id)
    return await _shown(house, asking, row)


async def delete_user(house: House, asking: Asking, user_id: str) -> dict[str, Any]:
    """End sessions and grants, erase what is known; raises 403 `live_key_required`, 404."""
    people.check_may_manage(asking.caller)
    now, merchant_id = house.clock.now(), asking.caller.merchant_id
    identifier = _identifier(user_id)
    async with house.database.transaction() as transaction:
        if not await stored.delete_user(transaction, merchant_id, identifier, now):
            raise _missing("user_id")
        await sessions.delete_sessions(transaction, merchant_id, identifier)
        await end_grants_of(transaction, merchant_id, identifier, now)
        await announce_merchant(transaction, merchant_id)
    log("user_deleted", user_id=user_id)
    return people.deleted("usr", "user", identifier)


async def unlock_user(house: House, asking: Asking, user_id: str) -> Reply:
    """Forget failed attempts; raises 403 `live_key_required`, 404."""
    people.check_may_manage(asking.caller)

    async def change(transaction: Transaction) -> Reply:
        merchant_id = asking.caller.merchant_id
        row = await stored.unlock_user(transaction, merchant_id, _identifier(user_id))
        if row is None:
            raise _missing("user_id")
        log("user_unlocked", user_id=user_id)
        return Reply(OK, _nameless(house, asking, row))

    reply = await once(house, asking, change)
    shown = await retrieve_user(house, asking, user_id)
    return _naming(reply, shown["email"], shown["name"])


async def list_user_sessions(
    house: House, asking: Asking, user_id: str, query: dict[str, Any]
) -> dict[str, Any]:
    """A page of a user's sessions that were not ended, newest first; they are not counted."""
    now, caller = house.clock.now(), asking.caller
    asked = pages.ask(query, {"user_id": _identifier(user_id)})
    async with house.database.reading() as transaction:
        await _found(transaction, asking, user_id)
        page = await read_page(transaction, SESSIONS, asked.page, merchant_id=caller.merchant_id)
    return pages.envelope(
        asked, page, lambda row: people.session_resource(row, now, caller.livemode), None
    )


async def end_user_session(
    house: House, asking: Asking, user_id: str, session_id: str
) -> dict[str, Any]:
    """End one session of a user; raises 403 `live_key_required`, 404."""
    people.check_may_manage(asking.caller)
    identifier, ended = from_text("ses", session_id), False
    async with house.database.transaction() as transaction:
        user = await _found(transaction, asking, user_id)
        if identifier is not None:
            ended = await sessions.end_session(
                transaction, user["merchant_id"], user["id"], identifier, house.clock.now()
            )
    if identifier is None or not ended:
        raise _missing("session_id")
    log("session_ended", user_id=user_id, session_id=session_id)
    return people.deleted("ses", "session", identifier)


async def _found(transaction: Transaction, asking: Asking, user_id: str) -> Row:
    merchant_id = asking.caller.merchant_id
    row = await stored.find_user(transaction, merchant_id, _identifier(user_id))
    if row is None:
        raise _missing("user_id")
    return row


async def _shown(house: House, asking: Asking, row: Row) -> dict[str, Any]:
    owner = row["merchant_id"]
    email = await house.seals.open(owner, people.EMAIL, row["email_sealed"])
    name = await house.seals.open(owner, people.NAME, row["name_sealed"])
    return {**_nameless(house, asking, row), "email": email.decode(), "name": name.decode()}


def _nameless(house: House, asking: Asking, row: Row) -> dict[str, Any]:
    """The resource as a reply is kept: what is sealed in one place must not lie in another."""
    return people.user_resource(row, house.clock.now(), asking.caller.livemode)


def _naming(reply: Reply, email: str, name: str) -> Reply:
    return replace(reply, resource={**reply.resource, "email": email, "name": name})


def _identifier(user_id: str) -> UUID:
    identifier = from_text("usr", user_id)
    if identifier is None:
        raise _missing("user_id")
    return identifier


def _missing(param: str) -> Missing:
    return Missing("resource_missing", param)
