"""Charges each item of a body like a request: 429 with nothing done where that is too much.

The first item was charged before the body was read; how many there are is known only now.
"""

from contract.limit_headers import refusal_of
from contract.operations import Operation
from domain.rate_limits import waiting_for_one_more
from gateway.exchange import Exchange, Proceed
from gateway.limiting import charge


def bind(operation: Operation, proceed: Proceed) -> Proceed:
    if operation.body is None or operation.body.items is None or operation.rate_limit == "none":
        return proceed

    async def charged(exchange: Exchange) -> None:
        caller, others = exchange.caller, len(exchange.items) - 1
        if caller is not None and others > 0 and not await charge(exchange, caller, others):
            assert exchange.decision is not None and exchange.allowance is not None
            exchange.decision = waiting_for_one_more(exchange.decision, exchange.allowance.rules)
            raise refusal_of(exchange.decision)
        await proceed(exchange)

    return charged
