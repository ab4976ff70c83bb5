"""403 where the key's mode or the merchant's account is not open for the operation.

Operations with `test_mode_only` in `x-errors` are not for live keys.

`pending_review`: test mode only.  `suspended`: everything but new money, which is what the
operations with `merchant_suspended` in `x-errors` take.  `terminated`: reads only.
"""

from contract.operations import Operation
from domain.callers import Caller
from domain.refusals import Forbidden
from gateway.exchange import Exchange, Proceed

SUSPENDED = "merchant_suspended"
TEST_MODE_ONLY = "test_mode_only"
NOT_ACTIVE = "merchant_not_active"


def bind(operation: Operation, proceed: Proceed) -> Proceed:
    if not operation.requirements:
        return proceed
    takes_money = SUSPENDED in operation.errors
    test_mode_only = TEST_MODE_ONLY in operation.errors
    reads = operation.method == "GET"

    async def in_good_standing(exchange: Exchange) -> None:
        caller = exchange.caller
        if caller is None:
            raise LookupError("a secured operation was reached without a caller")
        if test_mode_only and caller.livemode:
            raise Forbidden(TEST_MODE_ONLY)
        if caller.merchant_status != "active":
            _refuse(caller, takes_money, reads)
        await proceed(exchange)

    return in_good_standing


def _refuse(caller: Caller, takes_money: bool, reads: bool) -> None:
    if caller.merchant_status == "pending_review":
        if caller.livemode:
            raise Forbidden(NOT_ACTIVE)
    elif takes_money:
        raise Forbidden(SUSPENDED)
    elif caller.merchant_status != "suspended" and not reads:
        raise Forbidden(NOT_ACTIVE)
