"""The sandbox's way to a dispute: the simulated network opens and decides when it is told to."""

from typing import Final, NamedTuple
from uuid import UUID, uuid5

from adapters.vault_door import NoAnswer
from contract import relay
from domain import disputes
from domain.callers import Asking
from domain.refusals import Missing, Unavailable, Unprocessable
from flows.dispute_changes import (
    dispute_key,
    end_dispute,
    key_of_chargeback,
    now_of,
    open_dispute,
    waits_for_refunds,
)
from flows.house import House
from flows.payment_reads import find_payment
from flows.replies import Reply, earlier_reply, once, refuse_once
from models.disputes import read_chargeback, read_dispute
from models.payment_changes import key_of, lock_payment
from runtime.database import Row, Transaction

CREATED: Final = 201
OK: Final = 200
_DEFAULT_REASON: Final[relay.ChargebackReason] = "fraudulent"


class Claim(NamedTuple):
    """What the network is to charge back."""

    chargeback_id: UUID
    amount: int
    reason: relay.ChargebackReason


async def create_test_dispute(
    house: House,
    asking: Asking,
    payment_id: str,
    reason: relay.ChargebackReason | None,
    amount: int | None,
) -> Reply:
    """Have a captured payment charged back now, and answer 201 with the dispute.

    Raises 404, 422 `payment_unexpected_state` or `payment_disputed`, and 503 without the
    vault.  One that died on the way is finished by the worker, which hears of it too; so is
    one that a refund was faster than: it is refused, and the worker opens what is left to
    dispute when the refund has ended.
    """
    earlier = await earlier_reply(house, asking)
    if earlier is not None:
        return earlier
    payment = await find_payment(house, asking, payment_id)
    # The same for the same idempotency key, so that asking again opens nothing more.
    key = None if asking.once is None else asking.once.key
    chargeback_id = house.new_id() if key is None else uuid5(payment["id"], str(key))
    async with house.database.reading() as transaction:
        known = await read_chargeback(transaction, payment, chargeback_id)
    try:
        claim = Claim(
            chargeback_id,
            known["amount"] if known else disputes.claimed_amount(payment, amount),
            reason or _DEFAULT_REASON,
        )
        chargeback = await _charge_back(house, asking, payment, claim)
    except Unprocessable as refusal:
        return await refuse_once(house, asking, refusal)

    async def change(transaction: Transaction) -> Reply:
        # A clock that is being deleted locks what waits under it: it is asked for first.
        await now_of(house, transaction, key_of_chargeback(chargeback))
        locked = await lock_payment(transaction, key_of(payment))
        if locked is None:
            raise Missing("resource_missing", "payment_id")
        if await waits_for_refunds(house, transaction, locked, chargeback):
            raise _too_little(claim, disputes.left_to_dispute(locked))
        dispute = await open_dispute(house, transaction, asking.request_id, locked, chargeback)
        if dispute is None:
            raise _too_little(claim)
        return Reply(CREATED, disputes.resource(dispute))

    return await once(house, asking, change)


async def close_test_dispute(house: House, asking: Asking, dispute_id: str, outcome: str) -> Reply:
    """Have a dispute under review decided now, and answer it won or lost.

    Raises 404, 422 `dispute_unexpected_state`, and 503 without the vault.
    """
    earlier = await earlier_reply(house, asking)
    if earlier is not None:
        return earlier
    key = dispute_key(asking, dispute_id)
    async with house.database.reading() as transaction:
        dispute = await read_dispute(transaction, key)
    if dispute is None:
        raise Missing("resource_missing", "dispute_id")
    if dispute["status"] != disputes.UNDER_REVIEW:
        refusal = Unprocessable("dispute_unexpected_state", status=dispute["status"])
        return await refuse_once(house, asking, refusal)
    decided = await _rule(house, asking, dispute, outcome)

    async def change(transaction: Transaction) -> Reply:
        ended = await end_dispute(house, transaction, asking.request_id, key, decided)
        if ended is None:
            raise Missing("resource_missing", "dispute_id")
        if ended["status"] != outcome:
            # Its evidence had decided it already.
            raise Unprocessable("dispute_unexpected_state", status=ended["status"])
        return Reply(OK, disputes.resource(ended))

    return await once(house, asking, change)


async def _charge_back(
    house: House, asking: Asking, payment: Row, claim: Claim
) -> relay.Chargeback:
    opening = relay.OpenChargeback(
        request_id=asking.request_id,
        merchant_id=payment["merchant_id"],
        livemode=payment["livemode"],
        chargeback_id=claim.chargeback_id,
        payment_id=payment["id"],
        amount=claim.amount,
        reason=claim.reason,
    )
    try:
        answer = await house.vault.call(opening)
    except NoAnswer as silence:
        raise Unavailable from silence
    if not isinstance(answer, relay.Chargeback):
        raise _too_little(claim)
    return answer


def _too_little(claim: Claim, left: int = 0) -> Unprocessable:
    return Unprocessable("payment_disputed", "amount", amount=claim.amount, available=left)


async def _rule(house: House, asking: Asking, dispute: Row, outcome: str) -> str:
    """The network's decision, which may have been taken before."""
    ruling = relay.RuleOnChargeback(
        request_id=asking.request_id,
        merchant_id=dispute["merchant_id"],
        livemode=dispute["livemode"],
        chargeback_id=dispute["chargeback_id"],
        won=outcome == "won",
    )
    try:
        answer = await house.vault.call(ruling)
    except NoAnswer as silence:
        raise Unavailable from silence
    if not isinstance(answer, relay.Chargeback):
        raise Unavailable
    return answer.state
