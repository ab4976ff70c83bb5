"""Events on demand, to test a webhook endpoint with.

One about a real object shows it as it stands and carries the number of its last event:
it tells nothing new, so it takes no number of its own, and what really happens next is
numbered as if it had never been made.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

from contract.samples import sample_of
from domain import disputes, events, holds, payments, refunds, test_events
from domain.callers import Asking
from domain.ids import from_text
from domain.refusals import Missing
from flows.house import House
from flows.replies import Reply, once
from models.disputes import DisputeKey, read_dispute
from models.holds import HoldKey, read_hold
from models.outbox import record_event
from models.payment_changes import lock_payment
from models.payment_reads import PaymentKey
from models.refunds import find_refund
from runtime.database import Transaction

CREATED: Final = 201


class About(NamedTuple):
    """What an event is about: its id, the number of its last event, and how it is shown."""

    id: UUID
    sequence: int
    shown: dict[str, Any]


Find = Callable[[Transaction, Asking, UUID], Awaitable[About | None]]


async def create_test_event(house: House, asking: Asking, body: dict[str, Any]) -> Reply:
    """Make an event of `type` and queue its deliveries; 404 for an `object_id` in vain."""
    event_type, named = body["type"], body.get("object_id")

    async def change(transaction: Transaction) -> Reply:
        if named is None:
            about = _sample(house, asking, event_type)
        else:
            about = await _named(transaction, asking, event_type, named)
        event = {
            "merchant_id": asking.caller.merchant_id,
            "livemode": asking.caller.livemode,
            "sequence": about.sequence,
            "request_id": asking.request_id,
        }
        event_id, now = house.new_id(), house.clock.now()
        await record_event(
            transaction,
            event_id=event_id,
            event_type=event_type,
            object_id=about.id,
            object=orjson.dumps(about.shown).decode(),
            occurred_at=now,
            **event,
        )
        made = {"id": event_id, "type": event_type, "object": about.shown, "created_at": now}
        return Reply(CREATED, events.resource({**event, **made}))

    return await once(house, asking, change)


def _sample(house: House, asking: Asking, event_type: str) -> About:
    object_id = house.new_id()
    shown = test_events.sample_object(
        sample_of(test_events.kind_of(event_type)),
        event_type,
        object_id,
        asking.caller.merchant_id,
        house.clock.now(),
    )
    return About(object_id, 1, shown)


async def _named(
    transaction: Transaction, asking: Asking, event_type: str, object_id: str
) -> About:
    kind = test_events.kind_of(event_type)
    identifier = from_text(test_events.PREFIXES[kind], object_id)
    about = None
    if identifier is not None and kind in _FINDERS:
        about = await _FINDERS[kind](transaction, asking, identifier)
    if about is None:
        raise Missing("resource_missing", "object_id")
    return about


async def _payment(transaction: Transaction, asking: Asking, identifier: UUID) -> About | None:
    key = PaymentKey(identifier, asking.caller.merchant_id, asking.caller.livemode)
    row = await lock_payment(transaction, key)
    if row is None:
        return None
    # A payment whose first answer is still out has had no event yet.
    return About(row["id"], max(1, row["event_sequence"]), payments.resource(row))


async def _refund(transaction: Transaction, asking: Asking, identifier: UUID) -> About | None:
    caller = asking.caller
    row = await find_refund(transaction, caller.merchant_id, caller.livemode, identifier)
    if row is None:
        return None
    return About(row["id"], row["event_sequence"], refunds.resource(row))


async def _hold(transaction: Transaction, asking: Asking, identifier: UUID) -> About | None:
    key = HoldKey(identifier, asking.caller.merchant_id, asking.caller.livemode)
    row = await read_hold(transaction, key)
    if row is None:
        return None
    # One whose first answer is still out has had no event yet.
    return About(row["id"], max(1, row["event_sequence"]), holds.resource(row))


async def _dispute(transaction: Transaction, asking: Asking, identifier: UUID) -> About | None:
    key = DisputeKey(identifier, asking.caller.merchant_id, asking.caller.livemode)
    row = await read_dispute(transaction, key)
    if row is None:
        return None
    return About(row["id"], row["event_sequence"], disputes.resource(row))


_FINDERS: Final[dict[str, Find]] = {
    "payment": _payment,
    "hold": _hold,
    "refund": _refund,
    "dispute": _dispute,
}
