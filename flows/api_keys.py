"""A merchant's keys: made, listed, rolled, suspended, revoked."""

from typing import Any, Final
from uuid import UUID

from domain import allowlists, api_keys, moments
from domain.callers import Asking
from domain.ids import from_text, to_text
from domain.refusals import Missing, Unprocessable
from flows import pages
from flows.house import House
from flows.key_making import Owner, Wanted, insert_key, make_key, tell_vault
from flows.replies import Reply, earlier_reply, once, refuse_once
from models.alerts import Alert, raise_alert, resolve_alert
from models.announcing import announce_merchant
from models.api_keys import count_keys, find_any_key, find_key, other_usable_keys, save_key
from models.merchants import lock_merchant, read_merchant
from models.paging import read_page
from models.production_access import mark_keys_taken
from models.tables import API_KEYS
from runtime.database import Row, Transaction

CREATED: Final = 201
OK: Final = 200


async def create_api_key(house: House, asking: Asking, body: dict[str, Any]) -> Reply:
    """A new key with its text; a secret one is shown here and never again.

    Raises 403 `insufficient_scope`, 400 for fields that do not fit, 404 for a merchant that
    the operator named wrongly, 422 `api_key_limit`, 503 without the vault.
    """
    earlier = await earlier_reply(house, asking)
    if earlier is not None:
        return earlier
    now = house.clock.now()
    api_keys.check_new(asking.caller, body, now)
    wanted = _wanted(body)
    owner = await _owner(house, asking, body)
    try:
        # Told here too: whoever has as many keys as there may be has none hashed.
        api_keys.check_room(await _counted(house, owner))
    except Unprocessable as refusal:
        return await refuse_once(house, asking, refusal)
    made = await make_key(house, owner, wanted)
    await tell_vault(house, asking.request_id, made.row)

    async def change(transaction: Transaction) -> Reply:
        await lock_merchant(transaction, owner.merchant_id)
        api_keys.check_room(await count_keys(transaction, *owner))
        await insert_key(transaction, made)
        return Reply(CREATED, api_keys.resource(made.row, now, made.text.reveal()))

    return await once(house, asking, change)


async def list_api_keys(house: House, asking: Asking, query: dict[str, Any]) -> dict[str, Any]:
    """A page of the keys that were not revoked, newest first.

    A merchant sees those of its mode, the operator those of the merchant that it names.
    """
    caller = asking.caller
    asked = pages.ask(query, {"type": query.get("type")})
    always: dict[str, Any] = {"merchant_id": caller.merchant_id, "livemode": caller.livemode}
    if caller.is_platform:
        always = {"merchant_id": _named_merchant(query)}
    elif "merchant_id" in query and from_text("mch", query["merchant_id"]) != caller.merchant_id:
        raise _missing("merchant_id")
    now = house.clock.now()
    async with house.database.reading() as transaction:
        page = await read_page(transaction, API_KEYS, asked.page, **always)
        total = None
        if not asked.filtered_by and not caller.is_platform:
            total = await count_keys(transaction, caller.merchant_id, caller.livemode)
    return pages.envelope(asked, page, lambda row: api_keys.resource(row, now), total)


async def retrieve_api_key(house: House, asking: Asking, key_id: str) -> dict[str, Any]:
    """One key without its secret, or 404."""
    async with house.database.reading() as transaction:
        row = await _found(transaction, asking, key_id)
    return api_keys.resource(row, house.clock.now())


async def delete_api_key(house: House, asking: Asking, key_id: str) -> dict[str, Any]:
    """Revoke a key, for ever; 404 afterwards.

    Raises 422 `api_key_last_admin` where a merchant would lock itself out.  When the operator
    revokes the last live secret key, its merchant may take the first live keys once more.
    """
    now = house.clock.now()
    row = await _looked_up(house, asking, key_id)
    if row["type"] == "publishable":
        await tell_vault(house, asking.request_id, {**row, "revoked_at": now})
    async with house.database.transaction() as transaction:
        row = await _locked(transaction, asking, key_id)
        others = await other_usable_keys(transaction, row, now)
        if not asking.caller.is_platform:
            api_keys.check_not_last(row, others)
        elif row["livemode"] and row["type"] == "secret" and not others:
            await mark_keys_taken(transaction, row["merchant_id"], None)
        await save_key(transaction, {**row, "revoked_at": now})
        await resolve_alert(transaction, *_owner_of(row), _alert_about(row), now)
        await announce_merchant(transaction, row["merchant_id"])
    return api_keys.deleted(row["id"])


async def roll_api_key(house: House, asking: Asking, key_id: str, overlap_seconds: int) -> Reply:
    """A new key like the old one, which stops after the overlap.

    Raises 403 `insufficient_scope`, 404, 422 `api_key_unexpected_state` for a key that is
    suspended or has expired, 422 `api_key_limit`, 503 without the vault.  With an overlap an
    alert stays open until the old key is revoked.
    """
    earlier = await earlier_reply(house, asking)
    if earlier is not None:
        return earlier
    now = house.clock.now()
    old = await _looked_up(house, asking, key_id)
    try:
        api_keys.check_rollable(asking.caller, old, now)
        # Before the vault is told, which would refuse a key that goes on living here.
        api_keys.check_room(await _counted(house, _owner_of(old)))
    except Unprocessable as refusal:
        return await refuse_once(house, asking, refusal)
    ends = api_keys.end_of_overlap(old, overlap_seconds, now)
    made = await make_key(house, _owner_of(old), _like(old))
    await tell_vault(house, asking.request_id, made.row)
    await tell_vault(house, asking.request_id, {**old, "expires_at": ends})

    async def change(transaction: Transaction) -> Reply:
        row = await _locked(transaction, asking, key_id)
        api_keys.check_usable(row, now)
        api_keys.check_room(await count_keys(transaction, *_owner_of(row)))
        await save_key(transaction, {**row, "expires_at": ends})
        await insert_key(transaction, made)
        if overlap_seconds:
            alert = Alert(house.new_id(), *_owner_of(row), *_alert_about(row), now)
            await raise_alert(transaction, alert)
        await announce_merchant(transaction, row["merchant_id"])
        return Reply(CREATED, api_keys.resource(made.row, now, made.text.reveal()))

    try:
        return await once(house, asking, change)
    except Unprocessable:
        # Another change came between: the vault knows of a roll that did not happen.
        await tell_vault(house, asking.request_id, await _looked_up(house, asking, key_id))
        raise


async def suspend_api_key(house: House, asking: Asking, key_id: str) -> Reply:
    """Refuse a key until it is resumed; one that is suspended already stays so."""
    return await _set_suspended(house, asking, key_id, suspended=True)


async def resume_api_key(house: House, asking: Asking, key_id: str) -> Reply:
    """Let a suspended key be used again; what it was flagged for is settled."""
    return await _set_suspended(house, asking, key_id, suspended=False)


async def _set_suspended(house: House, asking: Asking, key_id: str, *, suspended: bool) -> Reply:
    earlier = await earlier_reply(house, asking)
    if earlier is not None:
        return earlier
    now = house.clock.now()
    since = now if suspended else None
    row = await _looked_up(house, asking, key_id)
    await tell_vault(house, asking.request_id, {**row, "suspended_at": since})

    async def change(transaction: Transaction) -> Reply:
        row = await _locked(transaction, asking, key_id)
        flagged = row["flagged_at"] if suspended else None
        judged = {**row, "suspended_at": since, "flagged_at": flagged}
        saved = await save_key(transaction, judged)
        await announce_merchant(transaction, row["merchant_id"])
        return Reply(OK, api_keys.resource(saved, now))

    return await once(house, asking, change)


async def _owner(house: House, asking: Asking, body: dict[str, Any]) -> Owner:
    """Whose key is to be made: the caller's own, or that of the merchant the operator names."""
    caller = asking.caller
    if not caller.is_platform:
        if "merchant_id" in body and from_text("mch", body["merchant_id"]) != caller.merchant_id:
            raise _missing("merchant_id")
        return Owner(caller.merchant_id, caller.livemode)
    api_keys.check_names_merchant(body)
    merchant_id = _named_merchant(body)
    async with house.database.reading() as transaction:
        if await read_merchant(transaction, merchant_id) is None:
            raise _missing("merchant_id")
    return Owner(merchant_id, caller.livemode)


def _named_merchant(asked: dict[str, Any]) -> UUID:
    merchant_id = from_text("mch", asked.get("merchant_id", ""))
    if merchant_id is None:
        raise _missing("merchant_id")
    return merchant_id


def _wanted(body: dict[str, Any]) -> Wanted:
    ends, networks = body.get("expires_at"), body.get("ip_allowlist")
    return Wanted(
        kind=body["type"],
        name=body["name"],
        scopes=body.get("scopes", []),
        expires_at=None if ends is None else moments.from_text(ends),
        ip_allowlist=None if networks is None else allowlists.canonical(networks, "ip_allowlist"),
    )


def _like(old: Row) -> Wanted:
    names = ("name", "scopes", "expires_at", "ip_allowlist")
    return Wanted(kind=old["type"], **{name: old[name] for name in names})


async def _looked_up(house: House, asking: Asking, key_id: str) -> Row:
    async with house.database.reading() as transaction:
        return await _found(transaction, asking, key_id)


async def _counted(house: House, owner: Owner) -> int:
    async with house.database.reading() as transaction:
        return await count_keys(transaction, *owner)


async def _found(transaction: Transaction, asking: Asking, key_id: str) -> Row:
    caller, identifier = asking.caller, from_text("key", key_id)
    row = None
    if identifier is not None and caller.is_platform:
        row = await find_any_key(transaction, identifier)
    elif identifier is not None:
        row = await find_key(transaction, caller.merchant_id, caller.livemode, identifier)
    if row is None:
        raise _missing("api_key_id")
    return row


def _owner_of(key: Row) -> Owner:
    return Owner(key["merchant_id"], key["livemode"])


def _alert_about(key: Row) -> tuple[str, str]:
    """A key that ends soon: whoever still uses it should know; revoking it settles the matter."""
    return "api_key_revoked_soon", to_text("key", key["id"])


async def _locked(transaction: Transaction, asking: Asking, key_id: str) -> Row:
    """The key as it stands while nobody else changes keys of its merchant."""
    row = await _found(transaction, asking, key_id)
    await lock_merchant(transaction, row["merchant_id"])
    return await _found(transaction, asking, key_id)


def _missing(param: str) -> Missing:
    return Missing("resource_missing", param)
