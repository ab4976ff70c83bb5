"""403 where the operation, or the merchant's account, is not open to the caller.

A live key is refused where the operation has `test_mode_only` in `x-errors`.

`pending_review`: test mode only.  `suspended`: everything but new money, which is what the
operations with `merchant_suspended` in `x-errors` take.  `terminated`: reads only, and
those for 90 days.
"""

from collections.abc import Awaitable
from datetime import datetime

from contract.operations import Operation
from domain.callers import Caller
from domain.merchants import is_readable
from domain.refusals import Forbidden
from gateway.exchange import Exchange, Proceed

SUSPENDED = "merchant_suspended"
NOT_ACTIVE = "merchant_not_active"
TEST_MODE_ONLY = "test_mode_only"


def bind(operation: Operation, proceed: Proceed) -> Proceed:
    if not operation.requirements:
        return proceed
    takes_money = SUSPENDED in operation.errors
    sandbox_only = TEST_MODE_ONLY in operation.errors
    reads = operation.method == "GET"

    def in_good_standing(exchange: Exchange) -> Awaitable[None]:
        caller = exchange.caller
        if caller is None:
            raise LookupError("a secured operation was reached without a caller")
        if sandbox_only and caller.livemode:
            raise Forbidden(TEST_MODE_ONLY)
        if caller.merchant_status != "active":
            _refuse(caller, takes_money, reads, exchange.house.clock.now())
        return proceed(exchange)

    return in_good_standing


def _refuse(caller: Caller, takes_money: bool, reads: bool, now: datetime) -> None:
    if caller.merchant_status == "pending_review":
        if caller.livemode:
            raise Forbidden(NOT_ACTIVE)
    elif takes_money:
        raise Forbidden(SUSPENDED)
    elif caller.merchant_status == "suspended":
        return
    elif not reads or not is_readable(caller.terminated_at, now):
        raise Forbidden(NOT_ACTIVE)
