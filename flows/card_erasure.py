"""Having the vault forget cards that nobody has any more (PCI DSS 4.0.1 req. 3.2.1).

A worker asks, and asks again until the vault has done it.  A card that was detached: a
payment that is still pending keeps the number until it is decided.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from adapters.vault_door import NoAnswer
from contract import relay
from domain.ids import to_text
from flows.house import House
from models.card_erasure import erased, is_known, lease_erasures
from models.leases import ERASURE_LEASE, give_back
from runtime.database import Row
from runtime.log import log

METHODS_PER_ROUND: Final = 50
LEASE = timedelta(seconds=10)


async def lease_due_erasures(house: House, free: int) -> list[Row]:
    """Up to `free` detached methods whose number is to be forgotten now."""
    async with house.database.transaction() as transaction:
        return await lease_erasures(transaction, house.clock.now(), LEASE, free)


async def give_back_erasures(house: House, leased: Sequence[Row]) -> None:
    """Let other workers ask for leased erasures at once."""
    async with house.database.transaction() as transaction:
        await give_back(transaction, ERASURE_LEASE, leased, house.clock.now())


async def erase_detached_card(house: House, method: Row) -> None:
    """Have the vault forget one number; where it does not answer, it is asked again after 10 s."""
    request_id = to_text("req", house.new_id())
    erase = relay.Erase(
        request_id=request_id,
        merchant_id=method["merchant_id"],
        livemode=method["livemode"],
        instrument_id=method["id"],
    )
    if await _asked(house, erase) is None:
        return
    async with house.database.transaction() as transaction:
        await erased(transaction, method)
    log("card_erased", request_id=request_id, payment_method_id=to_text("pm", method["id"]))


async def erase_unknown_cards(house: House) -> int:
    """Have the vault forget cards that were saved there and have no row here.

    A process that is lost between the two leaves such a card behind.  The vault names what was
    saved over an hour ago; what has its row is confirmed, so that it is named once.  Answers
    how many were settled either way.
    """
    request_id = to_text("req", house.new_id())
    answer = await _asked(
        house, relay.ListUnconfirmed(request_id=request_id, limit=METHODS_PER_ROUND)
    )
    if not isinstance(answer, relay.Unconfirmed):
        return 0
    settled = 0
    for saved in answer.instruments:
        async with house.database.transaction() as transaction:
            known = await is_known(transaction, saved.id, saved.merchant_id, saved.livemode)
        verdict = relay.Confirm if known else relay.Erase
        message = verdict(
            request_id=request_id,
            merchant_id=saved.merchant_id,
            livemode=saved.livemode,
            instrument_id=saved.id,
        )
        if await _asked(house, message) is None:
            return settled
        if not known:
            log("unknown_card_erased", request_id=request_id, instrument_id=saved.id)
        settled += 1
    return settled


async def _asked(house: House, message: relay.Request) -> relay.Answer | None:
    try:
        return await house.vault.call(message)
    except NoAnswer as silence:
        log("erasure_postponed", request_id=message.request_id, reason=silence.reason)
        return None
