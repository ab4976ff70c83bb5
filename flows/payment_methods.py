"""Saving a token as a customer's payment method, reading and detaching it."""

from typing import Any, Final
from uuid import UUID

from adapters.vault_door import NoAnswer
from contract import relay
from domain import payment_methods
from domain.callers import Asking
from domain.ids import from_text, to_text
from domain.refusals import Missing, Refusal, Unavailable, Unprocessable
from flows.customer_reads import find_customer
from flows.house import House
from flows.replies import Reply, earlier_reply, once
from models.customers import (
    INSERT_METHOD,
    Whose,
    claim_token,
    detach_method,
    lock_customer,
    read_method,
    renew_expiry,
    same_card,
)
from runtime.database import Row, Transaction
from runtime.log import log

CREATED: Final = 201
OK: Final = 200


async def create_payment_method(
    house: House, asking: Asking, customer_id: str, body: dict[str, Any]
) -> Reply:
    """Save a token: 201, or 200 with the method there where the customer has that card.

    The new id follows from the token's, so that a repetition after a lost process asks
    the vault for the same thing and is answered with what was saved.
    """
    earlier = await earlier_reply(house, asking)
    if earlier is not None:
        return earlier
    whose = Whose(asking.caller.merchant_id, asking.caller.livemode)
    customer = await find_customer(house, asking, customer_id)
    token_id = _token(body["token"])
    method_id = UUID(int=token_id.int ^ 1)
    described = await _described(house, asking, token_id, method_id)
    if described.type != body["type"]:
        raise Unprocessable("token_not_attachable", "token")
    there = await _same_card(house, whose, customer, described)
    described = await _saved(house, asking, token_id, there, method_id)

    async def change(transaction: Transaction) -> Reply:
        if await lock_customer(transaction, whose, customer["id"]) is None:
            raise Missing("resource_missing", "customer_id")
        if not await claim_token(transaction, whose, token_id, method_id):
            raise Unprocessable("token_already_used", "token")
        there = await same_card(transaction, whose, customer["id"], described.fingerprint)
        if there is not None:
            month, year = described.exp_month, described.exp_year
            renewed = await renew_expiry(transaction, whose, there, month, year)
            return Reply(OK, payment_methods.resource(renewed))
        if described.id != method_id:
            # The card that the token was spent on is detached by now, and stays so.
            raise Unprocessable("token_already_used", "token")
        row = _row(house, customer, described)
        await transaction.run(INSERT_METHOD, **row)
        return Reply(CREATED, payment_methods.resource(row))

    try:
        reply = await once(house, asking, change)
    except Refusal:
        # Spent on a method that is not there, as when a payment claimed the token first.
        if not await _is_attached(house, whose, customer, described):
            await _forget(house, asking, described)
        raise
    if reply.resource["id"] != to_text("pm", described.id) and not reply.replayed:
        # Another request saved the same card meanwhile: its number is kept there.
        await _forget(house, asking, described)
    return reply


async def _forget(house: House, asking: Asking, instrument: relay.Instrument) -> None:
    """Have the vault erase what was saved there and is nobody's method here."""
    erase = relay.Erase(
        request_id=asking.request_id,
        merchant_id=asking.caller.merchant_id,
        livemode=asking.caller.livemode,
        instrument_id=instrument.id,
    )
    try:
        await house.vault.call(erase)
    except NoAnswer as silence:
        log("erasure_missed", request_id=asking.request_id, reason=silence.reason)


async def _is_attached(
    house: House, whose: Whose, customer: Row, instrument: relay.Instrument
) -> bool:
    async with house.database.transaction() as transaction:
        method = await read_method(transaction, whose, customer["id"], instrument.id)
    return method is not None


async def _same_card(
    house: House, whose: Whose, customer: Row, described: relay.Instrument
) -> Row | None:
    async with house.database.transaction() as transaction:
        return await same_card(transaction, whose, customer["id"], described.fingerprint)


async def retrieve_payment_method(
    house: House, asking: Asking, customer_id: str, method_id: str
) -> dict[str, Any]:
    """A method attached to this customer, or 404."""
    return payment_methods.resource(await _find(house, asking, customer_id, method_id))


async def detach_payment_method(
    house: House, asking: Asking, customer_id: str, method_id: str
) -> dict[str, Any]:
    """Detach a method for good; a worker has the vault forget its card number."""
    row = await _find(house, asking, customer_id, method_id)
    whose = Whose(asking.caller.merchant_id, asking.caller.livemode)
    async with house.database.transaction() as transaction:
        detached = await detach_method(transaction, whose, row, house.clock.now())
    if not detached:
        raise Missing("resource_missing", "payment_method_id")
    return {"object": "payment_method", "id": to_text("pm", row["id"]), "deleted": True}


async def _find(house: House, asking: Asking, customer_id: str, method_id: str) -> Row:
    customer, method = from_text("cus", customer_id), from_text("pm", method_id)
    row = None
    if customer is not None and method is not None:
        whose = Whose(asking.caller.merchant_id, asking.caller.livemode)
        async with house.database.transaction() as transaction:
            row = await read_method(transaction, whose, customer, method)
    if row is None:
        raise Missing("resource_missing", "payment_method_id")
    return row


def _token(text: str) -> UUID:
    token_id = from_text("tok", text)
    if token_id is None:
        raise Missing("resource_missing", "token")
    return token_id


async def _described(
    house: House, asking: Asking, token_id: UUID, method_id: UUID
) -> relay.Instrument:
    message = relay.Describe(
        request_id=asking.request_id,
        merchant_id=asking.caller.merchant_id,
        livemode=asking.caller.livemode,
        instrument_id=token_id,
    )
    try:
        return await _instrument(house, message)
    except Unprocessable as refusal:
        if refusal.code != "token_already_used":
            raise
        # Used by this very method, whose row a lost process did not write: go on.
        return await _attached(house, asking, token_id, method_id)


async def _saved(
    house: House, asking: Asking, token_id: UUID, there: Row | None, method_id: UUID
) -> relay.Instrument:
    """The card that is there takes the token's expiry, at the vault too, which charges it."""
    if there is not None:
        try:
            return await _attached(house, asking, token_id, there["id"])
        except Missing:
            # Detached and erased by now, which leaves the token as it was.
            pass
    return await _attached(house, asking, token_id, method_id)


async def _attached(
    house: House, asking: Asking, token_id: UUID, method_id: UUID
) -> relay.Instrument:
    message = relay.Attach(
        request_id=asking.request_id,
        merchant_id=asking.caller.merchant_id,
        livemode=asking.caller.livemode,
        token_id=token_id,
        method_id=method_id,
    )
    return await _instrument(house, message)


async def _instrument(house: House, message: relay.Request) -> relay.Instrument:
    try:
        answer = await house.vault.call(message)
    except NoAnswer as silence:
        raise Unavailable from silence
    if isinstance(answer, relay.Instrument):
        return answer
    if isinstance(answer, relay.Rejected) and answer.code.startswith("token_"):
        raise Unprocessable(answer.code, "token")
    raise Missing("resource_missing", "token")


def _row(house: House, customer: Row, instrument: relay.Instrument) -> Row:
    return {
        "id": instrument.id,
        "merchant_id": customer["merchant_id"],
        "livemode": customer["livemode"],
        "customer_id": customer["id"],
        "type": instrument.type,
        "network": instrument.network,
        "last_four": instrument.last_four,
        "brand": instrument.brand,
        "exp_month": instrument.exp_month,
        "exp_year": instrument.exp_year,
        "fingerprint": instrument.fingerprint,
        "currency": instrument.currency,
        "created_at": house.clock.now(),
    }
