"""Asking a network for an authorisation in the time that a request has for it."""

from contextlib import suppress
from typing import Final

from adapters.vault_door import NotBegun, Unknown
from contract import relay
from flows.house import House

# The blueprint's time-out of a card network, the question after an unknown outcome included.
AUTHORISE_SECONDS: Final = 3.0
SHORTEST_RESOLVE_SECONDS: Final = 0.1


async def authorise(house: House, message: relay.Authorise) -> relay.Answer | None:
    """The vault's answer; where none came, a Resolution: what became of it.

    None where that is not known either.  Raises NotBegun where the network was certainly not
    asked.
    """
    began = house.clock.monotonic()
    try:
        with house.room.waiting(message.request_id):
            return await house.vault.call(message, AUTHORISE_SECONDS)
    except Unknown:
        left = AUTHORISE_SECONDS - (house.clock.monotonic() - began)
    if left <= SHORTEST_RESOLVE_SECONDS:
        return None
    resolve = relay.Resolve(
        request_id=message.request_id,
        merchant_id=message.merchant_id,
        livemode=message.livemode,
        attempt_id=message.attempt_id,
    )
    with suppress(NotBegun, Unknown):
        answer = await house.vault.call(resolve, left)
        # A rejection says nothing of it.
        return answer if isinstance(answer, relay.Resolution) else None
    return None
