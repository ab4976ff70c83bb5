"""Having the vault forget the number of a card that was detached (PCI DSS 4.0.1 req. 3.2.1).

A worker asks, and asks again until the vault has done it; a payment that is still pending
keeps the number until it is decided.
"""

from datetime import timedelta
from typing import Final

from adapters.vault_door import NoAnswer
from contract import relay
from domain.ids import to_text
from flows.house import House
from models.card_erasure import erased, lease_erasures
from runtime.log import log

METHODS_PER_ROUND: Final = 50
LEASE = timedelta(seconds=10)


async def erase_detached_cards(house: House) -> int:
    """Ask for what is due; how many numbers were forgotten."""
    async with house.database.transaction() as transaction:
        due = await lease_erasures(transaction, house.clock.now(), LEASE, METHODS_PER_ROUND)
    done = 0
    for method in due:
        request_id = to_text("req", house.new_id())
        erase = relay.Erase(
            request_id=request_id,
            merchant_id=method["merchant_id"],
            livemode=method["livemode"],
            instrument_id=method["id"],
        )
        try:
            await house.vault.call(erase)
        except NoAnswer as silence:
            log("erasure_postponed", request_id=request_id, reason=silence.reason)
            continue
        async with house.database.transaction() as transaction:
            await erased(transaction, method)
        log("card_erased", request_id=request_id, payment_method_id=to_text("pm", method["id"]))
        done += 1
    return done
