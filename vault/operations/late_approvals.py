"""Giving back what a network approved after its attempt was given up.

The main house was told that such an attempt never began, and may have asked for the payment
under another one: an approval that comes yet would hold the money twice.  So the network is
asked about it for a day, or longer while it does not answer, and an approval is reversed,
under one attempt, until that is answered.
"""

import asyncio
from typing import Final
from uuid import UUID, uuid5

from contract import relay
from runtime.log import log
from runtime.shared_metrics import REVERSALS_DECLINED, hide_backlog, show_backlog
from vault.networks.network import CardNetwork, NetworkSilent, NetworkUnreached, Order
from vault.store.late import GivenUp, LateStore

ASKED_AT_ONCE: Final = 32
# A call to a network is given up after 3 s by whoever carries it; one in here never answers.
PATIENCE_SECONDS: Final = 4.0
_WORK: Final = "late_approvals"
_REVERSAL: Final = "late approval"


class LateApprovals:
    """Looks after attempts that were given up."""

    def __init__(self, store: LateStore, network: CardNetwork) -> None:
        self._store = store
        self._network = network

    async def turn(self) -> int:
        """Ask about those that are due; how many there were.

        What is due is shown first, and NaN where the database is away (docs/workers.md).
        """
        try:
            due_now = await self._store.backlog()
        except Exception:
            hide_backlog(_WORK)
            raise
        show_backlog(_WORK, *due_now)
        due = await self._store.lease(ASKED_AT_ONCE)
        await asyncio.gather(*(self._ask(attempt) for attempt in due))
        return len(due)

    async def _ask(self, attempt: GivenUp) -> None:
        try:
            over = await self._is_over(attempt)
        except (NetworkSilent, NetworkUnreached, TimeoutError):
            # It is due again.
            return
        if over:
            await self._store.look_no_more(attempt)

    async def _is_over(self, attempt: GivenUp) -> bool:
        """Whether nothing can come of it any more; an approval is given back first."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            decision = await self._network.inquire(attempt.network, attempt.id)
        if decision is None:
            return attempt.is_old
        if decision.outcome != "approved":
            return decision.outcome != "pending"
        async with asyncio.timeout(PATIENCE_SECONDS):
            reversal = await self._network.reverse(_order(attempt), decision)
        if reversal.outcome == "pending":
            # The network is still at it, and may yet refuse.
            return False
        _tell(attempt, reversal)
        return True


def _order(attempt: GivenUp) -> Order:
    return Order(
        attempt_id=reversal_of(attempt.id),
        merchant_id=attempt.merchant_id,
        payment_id=attempt.payment_id,
        livemode=attempt.livemode,
        network=attempt.network,
        amount=0,
        currency="",
        # A process that was lost may have asked before.
        repeated=True,
    )


def reversal_of(attempt_id: UUID) -> UUID:
    """The attempt under which a late approval is given back, whoever does it."""
    return uuid5(attempt_id, _REVERSAL)


def _tell(attempt: GivenUp, reversal: relay.Decision) -> None:
    if reversal.outcome != "approved":
        REVERSALS_DECLINED.labels("late_approval").inc()
    log(
        "late_approval_reversed" if reversal.outcome == "approved" else "late_approval_stands",
        attempt=attempt.id,
        payment=attempt.payment_id,
        merchant=attempt.merchant_id,
        network=attempt.network,
        code=reversal.code,
    )
