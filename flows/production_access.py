"""From test mode to live mode: asking for it, and taking the first live keys."""

import os
from typing import Any, Final
from uuid import UUID

from domain import production_access, signatures
from domain.callers import Asking
from domain.ids import from_text, to_text
from domain.refusals import Missing, Unprocessable
from flows.house import House
from flows.key_making import Owner, Wanted, insert_key, make_key, tell_vault
from flows.replies import Reply, earlier_reply, once, refuse_once
from models.announcing import announce_merchant
from models.merchants import lock_merchant, read_merchant
from models.production_access import give_live_url, hand_in, mark_keys_taken, read_access
from models.sealed import WEBHOOK_SECRET
from runtime.database import Row, Transaction

CREATED: Final = 201
_LIVE_MODE: Final = True


async def request_production_access(
    house: House, asking: Asking, merchant_id: str, body: dict[str, Any]
) -> Reply:
    """Hand in what the review needs; handing it in again before the review replaces it.

    Raises 404, 422 `merchant_unexpected_state` once the merchant is not under review.
    """
    identifier = _own(asking, merchant_id)

    async def change(transaction: Transaction) -> Reply:
        merchant = _found(await lock_merchant(transaction, identifier))
        production_access.check_may_ask(merchant)
        row = await hand_in(
            transaction,
            merchant_id=identifier,
            legal_entity=body["legal_entity"],
            pci_document=body["pci_document"],
            file_digest=body["file_digest"],
            kyc_reference=body.get("kyc_reference"),
            created_at=house.clock.now(),
        )
        return Reply(CREATED, production_access.resource(row))

    return await once(house, asking, change)


async def retrieve_production_access(
    house: House, asking: Asking, merchant_id: str
) -> dict[str, Any]:
    """What was handed in and what became of it; 404 where nothing was."""
    identifier = from_text("mch", merchant_id)
    if identifier is None or not asking.caller.is_platform:
        identifier = _own(asking, merchant_id)
    async with house.database.reading() as transaction:
        row = await read_access(transaction, identifier)
    return production_access.resource(production_access.found(row))


async def create_live_keys(house: House, asking: Asking, merchant_id: str) -> Reply:
    """The first live keys and the live webhook secret, shown to the merchant alone, once.

    Raises 404, 422 `merchant_unexpected_state` before the approval, 422 `live_keys_taken`
    afterwards, 503 without the vault.
    """
    earlier = await earlier_reply(house, asking)
    if earlier is not None:
        return earlier
    owner = Owner(_own(asking, merchant_id), _LIVE_MODE)
    try:
        async with house.database.reading() as transaction:
            # Told here too, so that a refusal makes no key and tells the vault nothing.
            await _check_may_take(transaction, await read_merchant(transaction, owner.merchant_id))
    except Unprocessable as refusal:
        return await refuse_once(house, asking, refusal)
    secret = await make_key(house, owner, Wanted("secret", "First secret key", ["merchant:admin"]))
    publishable = await make_key(house, owner, Wanted("publishable", "First publishable key"))
    await tell_vault(house, asking.request_id, publishable.row)
    webhook_secret = signatures.compose_secret(os.urandom(signatures.SECRET_BYTES))
    sealed = await house.seals.seal(owner.merchant_id, WEBHOOK_SECRET, webhook_secret.encode())

    async def change(transaction: Transaction) -> Reply:
        now = house.clock.now()
        await _check_may_take(transaction, await lock_merchant(transaction, owner.merchant_id))
        await insert_key(transaction, secret)
        await insert_key(transaction, publishable)
        await give_live_url(
            transaction,
            id=house.new_id(),
            merchant_id=owner.merchant_id,
            livemode=_LIVE_MODE,
            secret_sealed=sealed,
            created_at=now,
        )
        await mark_keys_taken(transaction, owner.merchant_id, now)
        await announce_merchant(transaction, owner.merchant_id)
        keys = {
            "secret_key": secret.text.reveal(),
            "publishable_key": publishable.text.reveal(),
            "webhook_secret": webhook_secret,
        }
        merchant = to_text("mch", owner.merchant_id)
        return Reply(CREATED, {"object": "live_keys", "merchant_id": merchant, **keys})

    return await once(house, asking, change)


async def _check_may_take(transaction: Transaction, merchant: Row | None) -> None:
    row = _found(merchant)
    production_access.check_may_take_keys(row, await read_access(transaction, row["id"]))


def _own(asking: Asking, merchant_id: str) -> UUID:
    if from_text("mch", merchant_id) != asking.caller.merchant_id:
        raise _missing()
    return asking.caller.merchant_id


def _found(row: Row | None) -> Row:
    if row is None:
        raise _missing()
    return row


def _missing() -> Missing:
    return Missing("resource_missing", "merchant_id")
