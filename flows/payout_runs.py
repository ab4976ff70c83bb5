"""The daily run: settling what has come in, and paying out what has settled.

No network is asked, so a run is a transaction under its schedule's row lock: two workers
run one after the other, and the second finds nothing to do.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from prometheus_client import Counter

from domain import payouts
from domain.ids import to_text
from flows.house import House
from models.balance import read_balance
from models.merchants import read_merchant
from models.payouts import (
    FIRST,
    Account,
    arrive,
    arriving_payouts,
    due_schedules,
    insert_payout,
    lock_schedule,
    move_schedule,
    unpaid,
)
from models.settlements import settle
from models.test_clocks import business_now
from runtime.database import DatabaseUnavailable, Row, Transaction
from runtime.log import log, log_exception

RUNS_PER_LOOK: Final = 32
ARRIVALS_PER_ROUND: Final = 64
_WITHOUT_RATE: Final = Counter(
    "paymint_payouts_without_rate",
    "Balances that a daily run left, because no rate to the settlement currency is known",
    ["currency", "to"],
)


class _Rates(NamedTuple):
    """The rates that were asked for before a run: those to `to`, of all that is held."""

    to: str
    held: frozenset[str]
    rates: Mapping[str, str]


async def run_due_payouts(house: House) -> int:
    """Make the runs that are due; how many there were.

    One that fails stays due and harms no other: where all that a look has found fail, the
    next looks behind them.
    """
    now, last = house.clock.now(), FIRST
    while True:
        async with house.database.reading() as transaction:
            due = await due_schedules(transaction, now, last, RUNS_PER_LOOK)
        made = sum([await _run(house, each.account) for each in due])
        if made or len(due) < RUNS_PER_LOOK:
            return made
        last = due[-1]


async def note_arrivals(house: House) -> int:
    """Write of payouts that have reached the bank that they are paid; how many there were."""
    now = house.clock.now()
    async with house.database.reading() as transaction:
        arriving = await arriving_payouts(transaction, now, ARRIVALS_PER_ROUND)
    for payout_id, merchant_id in arriving:
        async with house.database.transaction() as transaction:
            paid = await arrive(transaction, payout_id, merchant_id, now)
        if paid is not None:
            _log("payout_paid", Account(merchant_id, paid["livemode"]), payout=paid)
    return len(arriving)


async def _run(house: House, account: Account) -> bool:
    try:
        rates = await _asked(house, account)
        while not await _settled(house, account, rates):
            pass
    except DatabaseUnavailable:
        raise
    except Exception as error:
        # It stays due; what is wrong with one account must not keep the others waiting.
        log_exception("payout_run_failed", error, merchant_id=to_text("mch", account.merchant_id))
        return False
    return True


async def _asked(house: House, account: Account) -> _Rates:
    """The rates for what the merchant holds, asked before any row is locked."""
    async with house.database.reading() as transaction:
        merchant = await read_merchant(transaction, account.merchant_id)
        held = await read_balance(transaction, *account)
    if merchant is None:
        raise LookupError("a schedule without its merchant")
    to: str = merchant["settlement_currency"]
    found = {each: await house.rates.rate(each, to) for each in held if each != to}
    known = {each: rate for each, rate in found.items() if rate is not None}
    return _Rates(to, frozenset(held), known)


async def _settled(house: House, account: Account, rates: _Rates) -> bool:
    """One transaction of a run; whether it was the last, which pays out."""
    now = house.clock.now()
    async with house.database.transaction() as transaction:
        reached = await business_now(transaction, *account, now)
        schedule = await lock_schedule(transaction, account)
        # Asked again under the lock: another worker may have run, or a clock be gone.
        if schedule is None or schedule["run_at"] > min(now, reached):
            return True
        day = payouts.business_day(reached)
        before = payouts.settles_before(day, livemode=account.livemode)
        ids = {currency: house.new_id() for currency in sorted(rates.held)}
        settled_to = await settle(transaction, schedule, before, now, ids)
        if settled_to is not None:
            # A run that ends here goes on from there, whoever makes it.
            await move_schedule(transaction, account, schedule["run_at"], settled_to)
            return False
        payout = await _paid_out(house, transaction, account, rates, reached)
        await move_schedule(transaction, account, payouts.next_run(reached), before)
    if payout is not None:
        _log("payout_created", account, payout=payout)
    return True


async def _paid_out(
    house: House, transaction: Transaction, account: Account, rates: _Rates, reached: datetime
) -> Row | None:
    """Pay out what has settled; None where nothing is to be paid."""
    merchant = await read_merchant(transaction, account.merchant_id)
    if merchant is None or merchant["status"] not in payouts.PAID_OUT_TO:
        return None
    if merchant["settlement_currency"] != rates.to:
        raise LookupError("the settlement currency was changed meanwhile")
    settled = await unpaid(transaction, account)
    amounts = {currency: row["amount"] for currency, row in settled.items()}
    plan = payouts.planned(amounts, rates.to, rates.rates)
    for currency in plan.without_rate:
        _WITHOUT_RATE.labels(currency, rates.to).inc()
        _log("payout_without_rate", account, currency=currency, amount=amounts[currency])
    if not plan.parts:
        return None
    now, day = house.clock.now(), payouts.business_day(reached)
    arrival = payouts.arrival(day, livemode=account.livemode)
    payout = {
        "id": house.new_id(),
        **account._asdict(),
        "business_day": day,
        "amount": plan.amount,
        "currency": rates.to,
        "status": "pending",
        "arrival_date": arrival,
        "transaction_count": sum(settled[part.currency]["transactions"] for part in plan.parts),
        "created_at": now,
        "arrives_at": payouts.day_start(arrival) if account.livemode else min(now, reached),
    }
    parts = {house.new_id(): part._asdict() for part in plan.parts}
    return payout if await insert_payout(transaction, payout, parts) else None


def _log(
    event: str, account: Account, payout: Row | None = None, **fields: str | int | None
) -> None:
    if payout is not None:
        fields |= {
            "payout_id": to_text("pyt", payout["id"]),
            "amount": payout["amount"],
            "currency": payout["currency"],
        }
    log(
        event,
        merchant_id=to_text("mch", account.merchant_id),
        livemode=account.livemode,
        **fields,
    )
