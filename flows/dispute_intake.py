"""Taking in what the networks tell of chargebacks: opening disputes, and ending them.

The vault tells of a chargeback until it is acknowledged, which happens after the commit of
what it changed.  Whoever dies in between is told again, and finds it done.
"""

from typing import Final

from adapters.vault_door import NoAnswer
from contract import relay
from domain.ids import to_text
from flows.dispute_changes import (
    end_dispute,
    key_of_chargeback,
    now_of,
    open_dispute,
    waits_for_refunds,
)
from flows.house import House
from models.payment_changes import lock_payment
from models.payment_reads import PaymentKey
from runtime.database import DatabaseUnavailable, LockedOut
from runtime.log import log, log_exception

CHARGEBACKS_AT_ONCE: Final = 100
# The network has captured; the answer to whoever asked for it is still on its way.
_NOT_YET_CAPTURED: Final = frozenset({"pending", "authorized"})


async def take_in_chargebacks(house: House) -> int:
    """Ask the vault for news and record it; how much was recorded and acknowledged.

    All of it, some at a time: those that wait to be recorded keep no later one waiting.
    """
    request_id = to_text("req", house.new_id())
    asked = relay.ListChargebacks(request_id=request_id, limit=CHARGEBACKS_AT_ONCE)
    done = 0
    while True:
        told = await _news(house, asked)
        done += await _take_in_all(house, request_id, told)
        if len(told) < CHARGEBACKS_AT_ONCE:
            return done
        asked = relay.ListChargebacks(
            request_id=request_id,
            limit=CHARGEBACKS_AT_ONCE,
            after_ms=told[-1].opened_at_ms,
            after_id=told[-1].id,
        )


async def _news(house: House, asked: relay.ListChargebacks) -> list[relay.Chargeback]:
    try:
        news = await house.vault.call(asked)
    except NoAnswer as silence:
        log("chargebacks_unknown", request_id=asked.request_id, reason=silence.reason)
        return []
    if not isinstance(news, relay.ChargebackNews):
        raise TypeError("the vault answers with its news")
    return news.chargebacks


async def _take_in_all(house: House, request_id: str, told: list[relay.Chargeback]) -> int:
    done = 0
    for chargeback in told:
        try:
            done += await _take_in(house, request_id, chargeback)
        except Exception as error:
            if isinstance(error, DatabaseUnavailable) and not isinstance(error, LockedOut):
                raise
            # One that cannot be recorded must not keep the others from being so.
            log_exception("chargeback_not_recorded", error, request_id=request_id)
    return done


async def _take_in(house: House, request_id: str, chargeback: relay.Chargeback) -> bool:
    if not await _record(house, request_id, chargeback):
        return False
    acknowledge = relay.AcknowledgeChargeback(
        request_id=request_id,
        merchant_id=chargeback.merchant_id,
        livemode=chargeback.livemode,
        chargeback_id=chargeback.id,
        state=chargeback.state,
    )
    try:
        await house.vault.call(acknowledge)
    except NoAnswer as silence:
        log("chargeback_not_acknowledged", request_id=request_id, reason=silence.reason)
        return False
    return True


async def _record(house: House, request_id: str, chargeback: relay.Chargeback) -> bool:
    """Whether the chargeback is recorded; False: it is to be told again."""
    key = PaymentKey(chargeback.payment_id, chargeback.merchant_id, chargeback.livemode)
    async with house.database.transaction() as transaction:
        # A clock that is being deleted locks what waits under it: it is asked for first.
        await now_of(house, transaction, key_of_chargeback(chargeback))
        payment = await lock_payment(transaction, key)
        if payment is None:
            log("chargeback_without_payment", request_id=request_id, chargeback_id=chargeback.id)
            return True
        if payment["status"] in _NOT_YET_CAPTURED:
            return False
        if await waits_for_refunds(house, transaction, payment, chargeback):
            return False
        dispute = await open_dispute(house, transaction, request_id, payment, chargeback)
        if dispute is not None and chargeback.state != "open":
            ended = key_of_chargeback(chargeback)
            dispute = await end_dispute(house, transaction, request_id, ended, chargeback.state)
    if dispute is not None:
        log(
            "chargeback_recorded",
            dispute_id=to_text("dsp", dispute["id"]),
            payment_id=to_text("pay", dispute["payment_id"]),
            merchant_id=to_text("mch", dispute["merchant_id"]),
            request_id=request_id,
            status=dispute["status"],
        )
    return True
