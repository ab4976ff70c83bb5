"""At most once: a change and the reply its idempotency key will give for 48 hours.

2xx, 402 and 422 are kept, nothing else (contract-decisions, "Money").  A refusal is kept
as its code and values, so that a repetition is refused in the same words.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from uuid import UUID

import orjson

from domain.callers import Asking
from domain.refusals import Conflict, Declined, Refusal, Unprocessable
from flows.house import House
from models import idempotency
from models.payment_record import EarlierReply
from models.sealed import REPLY
from runtime.database import Transaction

_KEPT_REFUSALS = (402, 422)
# Fields of answers that no stored reply has.
_SECRETS = frozenset({"secret", "secret_key", "webhook_secret", "invitation_url"})


@dataclass(frozen=True, slots=True)
class Reply:
    """A status and a resource; `replayed` when an earlier request with this key got them."""

    status: int
    resource: dict[str, Any]
    replayed: bool = False
    # Whom the resource says something of: it is kept sealed, and erased with this customer.
    of_person: UUID | None = None


Decided = TypeVar("Decided")
Change = Callable[[Transaction], Awaitable[Reply]]
Beginning = Callable[[Transaction], Awaitable[Reply | None]]


async def once(house: House, asking: Asking, change: Change) -> Reply:
    """Run `change` in one transaction, at most once per idempotency key."""
    reply = await begin_once(house, asking, change)
    if reply is None:
        raise LookupError("a change in one transaction ends with its reply")
    return reply


async def begin_once(house: House, asking: Asking, change: Beginning) -> Reply | None:
    """Like `once`, for a change that goes on after this transaction.

    Where `change` gives None, the key stays claimed and unanswered.  A 422 of the rules
    undoes what the change did and keeps the refusal as the reply; every other refusal
    undoes all of it, the claim of the key too.
    """
    if asking.once is None:
        async with house.database.transaction() as transaction:
            return await change(transaction)
    async with house.database.transaction() as transaction:
        earlier = await idempotency.claim(transaction, asking, house.clock.now())
        if earlier is not None:
            return replay(asking, await _unsealed(house, asking, earlier))
        try:
            async with transaction.savepoint():
                reply = await change(transaction)
        except Unprocessable as refusal:
            refused: Refusal = refusal
        else:
            if reply is None:
                return None
            await _keep_as_it_must_be(house, transaction, asking, reply)
            return reply
        await keep_refusal(transaction, idempotency.name_of(asking), refused)
    raise refused


async def once_decided(
    house: House,
    asking: Asking,
    decide: Callable[[Transaction], Awaitable[Decided]],
    write: Callable[[Transaction, Decided], Awaitable[Reply]],
) -> Reply:
    """Like `once`, for a change that looks and refuses first and only then writes.

    Where `decide` refuses there is nothing to undo, so it has no savepoint.  Everything that
    `write` runs, it runs for its effect alone: it travels with the reply, in one round trip.
    """
    async with house.database.transaction() as transaction:
        if asking.once is not None:
            earlier = await idempotency.claim(transaction, asking, house.clock.now())
            if earlier is not None:
                return replay(asking, await _unsealed(house, asking, earlier))
        try:
            decided = await decide(transaction)
        except Unprocessable as refusal:
            if asking.once is None:
                raise
            refused = refusal
        else:
            async with transaction.together():
                reply = await write(transaction, decided)
                await keep(transaction, asking, reply)
            return reply
        await keep_refusal(transaction, idempotency.name_of(asking), refused)
    raise refused


async def refuse_once(house: House, asking: Asking, refusal: Unprocessable) -> Reply:
    """Raise the refusal and keep it as the key's reply, or give the reply that it has."""

    async def refuse(_: Transaction) -> Reply:
        raise refusal

    return await once(house, asking, refuse)


async def keep(transaction: Transaction, asking: Asking, reply: Reply) -> None:
    """Keep a success as the reply of the key, if the request has one."""
    if asking.once is None:
        return
    text = orjson.dumps(_without_secrets(reply.resource)).decode()
    await idempotency.answer(transaction, idempotency.name_of(asking), reply.status, text)


async def _keep_as_it_must_be(
    house: House, transaction: Transaction, asking: Asking, reply: Reply
) -> None:
    """Keep a success; one that says something of a person under seal."""
    if asking.once is None or reply.of_person is None:
        await keep(transaction, asking, reply)
        return
    name = idempotency.name_of(asking)
    text = orjson.dumps(_without_secrets(reply.resource))
    sealed = await house.seals.seal(name.merchant_id, REPLY, text)
    kept = idempotency.SealedReply(reply.status, sealed, reply.of_person)
    await idempotency.answer_sealed(transaction, name, kept)


async def _unsealed(house: House, asking: Asking, earlier: EarlierReply) -> EarlierReply:
    if earlier.reply_sealed is None:
        return earlier
    text = await house.seals.open(asking.caller.merchant_id, REPLY, earlier.reply_sealed)
    return replace(earlier, reply=text.decode())


async def keep_refusal(
    transaction: Transaction, name: idempotency.KeyName, refusal: Refusal
) -> None:
    """Keep a refusal (402 or 422) as the reply of a key."""
    text = orjson.dumps(kept_refusal(refusal)).decode()
    await idempotency.answer(transaction, name, refusal.status, text)


async def earlier_reply(house: House, asking: Asking) -> Reply | None:
    """The reply that this request's key has, if it was used before."""
    if asking.once is None:
        return None
    async with house.database.reading() as transaction:
        earlier = await idempotency.read(transaction, asking)
    if earlier is None:
        return None
    return replay(asking, await _unsealed(house, asking, earlier))


def replay(asking: Asking, earlier: EarlierReply) -> Reply:
    """The earlier reply under this key, or 409 where it belongs to something else."""
    if asking.once is None or earlier.digest != asking.once.digest:
        raise Conflict("idempotency_key_reused", "Idempotency-Key")
    if earlier.status is None or earlier.reply is None:
        raise Conflict("idempotency_key_in_use", "Idempotency-Key")
    kept = orjson.loads(earlier.reply)
    if earlier.status in _KEPT_REFUSALS:
        raise _refusal(earlier.status, kept)
    return Reply(earlier.status, kept, replayed=True)


def kept_refusal(refusal: Refusal) -> dict[str, Any]:
    """What is kept of a refusal: codes, integers and ids, nothing that was sent."""
    kept: dict[str, Any] = {
        "code": refusal.code,
        "param": refusal.param,
        "values": dict(refusal.values),
    }
    if isinstance(refusal, Declined):
        kept["decline_code"] = refusal.decline_code
        kept["payment_id"] = _hex(refusal.payment_id)
        kept["hold_id"] = _hex(refusal.hold_id)
    return kept


def _hex(identifier: UUID | None) -> str | None:
    return None if identifier is None else identifier.hex


def _identifier(digits: str | None) -> UUID | None:
    return None if digits is None else UUID(hex=digits)


def _refusal(status: int, kept: dict[str, Any]) -> Refusal:
    refusal: Refusal
    if status == Declined.status:
        refusal = Declined(
            kept["code"],
            kept["param"],
            decline_code=kept["decline_code"],
            payment_id=_identifier(kept["payment_id"]),
            # Replies that were kept before holds had ids here have none.
            hold_id=_identifier(kept.get("hold_id")),
        )
    else:
        refusal = Unprocessable(kept["code"], kept["param"], **kept["values"])
    refusal.replayed = True
    return refusal


def _without_secrets(resource: dict[str, Any]) -> dict[str, Any]:
    """The resource as it may be kept: a replay shows `secret: null`."""
    return {name: None if name in _SECRETS else value for name, value in resource.items()}
