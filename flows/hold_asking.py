"""Asking the network for a hold, or for more of one, while the merchant waits.

What is asked for was recorded before.  It is decided, withdrawn where the network was
certainly not asked, or queued for a worker; and where a worker took the request for lost
and went on in its place, the worker's word is the reply.
"""

from dataclasses import replace
from typing import Protocol

from adapters.vault_door import NotBegun
from contract import relay
from domain import holds
from domain.callers import Asking
from domain.payments import NETWORK_UNAVAILABLE
from domain.refusals import Missing, Refusal, Unavailable
from flows.authorising import authorise
from flows.hold_changes import ACCEPTED, Ended
from flows.house import House
from flows.replies import Reply, earlier_reply
from runtime.database import DatabaseUnavailable, Row


class Asked(Protocol):
    """A recorded hold or top-up that the network is asked for."""

    @property
    def message(self) -> relay.Authorise:
        """What the network is asked."""

    @property
    def waiting(self) -> Row:
        """The hold as it is shown while nobody knows the answer."""

    async def record(self, decision: relay.Decision) -> tuple[int, Ended] | None:
        """Write the decision; the status of its reply.  None: a worker has gone on."""

    async def withdraw(self) -> bool:
        """Undo the record of what was not asked for.  False: a worker has gone on."""

    async def queue(self) -> Row | None:
        """Leave it to a worker; the hold as it is shown.  None: a worker has gone on."""

    async def found(self) -> Reply:
        """What a worker has made of it; raises what it is refused with."""


async def ask(house: House, asking: Asking, asked: Asked) -> Reply:
    """Put what was recorded to the network, and answer with what becomes of it.

    Raises 402 when the network declines, 503 when nothing was done.  202: the network's
    answer is still out.
    """
    try:
        return await _ask(house, asking, asked)
    except DatabaseUnavailable:
        # It is recorded, and perhaps approved: a worker finds out once the database is
        # back, so 503, which promises that nothing was done, would be a lie.
        return Reply(ACCEPTED, holds.resource(asked.waiting))


async def _ask(house: House, asking: Asking, asked: Asked) -> Reply:
    try:
        answer = await _decided(house, asked.message)
    except NotBegun as silence:
        if not await asked.withdraw():
            return await _overtaken(house, asking, asked)
        raise Unavailable from silence
    if answer is None or _is_away(answer):
        queued = await asked.queue()
        if queued is None:
            return await _overtaken(house, asking, asked)
        return Reply(ACCEPTED, holds.resource(queued))
    if isinstance(answer, relay.Rejected):
        if not await asked.withdraw():
            return await _overtaken(house, asking, asked)
        raise _rejection(answer)
    if not isinstance(answer, relay.Decision):
        raise TypeError("the vault answers an authorisation with a decision")
    if answer.velocity_flag:
        asking.risk_signals["velocity_flag"] = True
    recorded = await asked.record(answer)
    if recorded is None:
        return await _overtaken(house, asking, asked)
    status, ended = recorded
    if ended.refusal is not None:
        raise ended.refusal
    return Reply(status, holds.resource(ended.hold))


async def _decided(house: House, message: relay.Authorise) -> relay.Answer | None:
    """A decision or a rejection; None where it is not known what became of it.

    Raises NotBegun where the network was certainly not asked and never will be.
    """
    answer = await authorise(house, message)
    if not isinstance(answer, relay.Resolution):
        return answer
    if answer.state == "never_begun":
        raise NotBegun("never begun")
    return answer.decision


def _is_away(answer: relay.Answer) -> bool:
    """The network was certainly not asked, because it answers nobody: it will be."""
    return isinstance(answer, relay.Rejected) and answer.code == NETWORK_UNAVAILABLE


def _rejection(rejected: relay.Rejected) -> Refusal:
    """Why the vault would not ask: the card is gone, or a worker took the request for lost."""
    if rejected.code == "attempt_fenced":
        return Unavailable()
    return Missing("resource_missing", "payment_method_id")


async def _overtaken(house: House, asking: Asking, asked: Asked) -> Reply:
    """A worker took this request for lost and finished it: its word is the reply."""
    earlier = await earlier_reply(house, asking)
    return await asked.found() if earlier is None else replace(earlier, replayed=False)
