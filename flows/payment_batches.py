"""Many payments in one request: each its own, all of them in shared statements.

Every item goes through the flow of a single payment, side by side with the others: their
rows wait together and go out in the same statements, their calls in the same frames to the
vault.  That is what makes a batch cheap; nothing of it is a second way to take money.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from contract.errors import InternalError
from domain.callers import Asking, Once
from domain.payment_requests import PaymentRequest
from domain.refusals import Refusal, Unavailable
from flows.hold_draws import draw_payment
from flows.house import House
from flows.payments import create_payment
from flows.replies import Reply
from runtime.database import DatabaseUnavailable
from runtime.log import log_exception

# A batch takes as much of the process as so many single requests would.
ITEMS_AT_ONCE: Final = 50
_HEADER: Final = "Idempotency-Key"
_FIELD: Final = "idempotency_key"


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One payment of a batch, bound to its own key."""

    once: Once
    request: PaymentRequest


async def create_payments(
    house: House, asking: Asking, items: Sequence[BatchItem | Refusal]
) -> list[Reply | Refusal]:
    """Take each payment once per its key; a refusal stands in the place of its item.

    Items that were refused before they came here are handed through.
    """
    asked = {index: item for index, item in enumerate(items) if isinstance(item, BatchItem)}
    outcomes: dict[int, Reply | Refusal] = {
        index: item for index, item in enumerate(items) if isinstance(item, Refusal)
    }
    room = asyncio.Semaphore(ITEMS_AT_ONCE)

    async def run(chain: list[int]) -> None:
        for index in chain:
            async with room, house.batch_room:
                outcomes[index] = await _create(house, asking, asked[index])

    await asyncio.gather(*(run(chain) for chain in _chains(asked)))
    return [outcomes[index] for index in range(len(items))]


async def _create(house: House, asking: Asking, item: BatchItem) -> Reply | Refusal:
    try:
        take = create_payment if item.request.hold_id is None else draw_payment
        return await take(house, replace(asking, once=item.once), item.request)
    except Refusal as refusal:
        if refusal.param == _HEADER:
            refusal.param = _FIELD
        return refusal
    except DatabaseUnavailable as error:
        log_exception("database_unavailable", error, request_id=asking.request_id)
        return Unavailable()
    except Exception as error:
        # A fault of ours in one item must not take the answers of the others with it.
        log_exception("unforeseen_error", error, request_id=asking.request_id)
        return InternalError()


def _chains(asked: Mapping[int, BatchItem]) -> list[list[int]]:
    """Indexes by what cannot happen at the same time: one key, one single-use token, one hold.

    The second item under a key is answered with the first's reply, and the second with a
    token is refused, without making the statement fail that the others share.  Draws on a
    hold would take turns at its row, each with a connection of its own while it waits.
    """
    chain_of: dict[UUID | str, list[int]] = {}
    for index, item in asked.items():
        names: list[UUID | str] = [item.once.key]
        if item.request.payment_method_id.startswith("tok_"):
            names.append(item.request.payment_method_id)
        if item.request.hold_id is not None:
            names.append(item.request.hold_id)
        joined = {id(found): found for name in names if (found := chain_of.get(name))}
        chain = sorted(sum(joined.values(), [index]))
        moved = [name for name, found in chain_of.items() if id(found) in joined]
        for name in (*names, *moved):
            chain_of[name] = chain
    return list({id(chain): chain for chain in chain_of.values()}.values())
