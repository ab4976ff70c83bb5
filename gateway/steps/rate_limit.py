"""429 for a caller above its limits (blueprint section 7), before its body is read.

Who shows no key is counted by address; opening sandbox accounts has a limit of its own.  The
same question tells whether an idempotency key was seen lately.
"""

from contract.limit_headers import refusal_of
from contract.operations import Operation
from domain.allowances import Allowance, mark_of, of_newcomer, of_visitor
from gateway.exchange import Exchange, Proceed
from gateway.limiting import charge

OPENS_ACCOUNTS = "create_sandbox_account"


def bind(operation: Operation, proceed: Proceed) -> Proceed:
    if operation.rate_limit == "none":
        return proceed
    opens_accounts = operation.operation_id == OPENS_ACCOUNTS

    async def limited(exchange: Exchange) -> None:
        caller = exchange.caller
        if caller is None:
            raise LookupError("a limited operation was reached without a caller")
        mark = None if exchange.key is None else mark_of(caller, exchange.key)
        if not await charge(exchange, caller, 1, mark):
            assert exchange.decision is not None
            raise refusal_of(exchange.decision)
        await proceed(exchange)

    async def limited_by_address(exchange: Exchange) -> None:
        allowance = _of_stranger(exchange, opens_accounts)
        decision = await exchange.house.limiter.decide(allowance)
        if not decision.allowed:
            raise refusal_of(decision)
        await proceed(exchange)

    return limited_by_address if operation.rate_limit == "public" else limited


def _of_stranger(exchange: Exchange, opens_accounts: bool) -> Allowance:
    settings, address = exchange.house.settings, exchange.client_address
    if opens_accounts:
        return of_newcomer(address, settings.sandbox_accounts_per_hour)
    return of_visitor(address, settings.public_requests_per_minute)
