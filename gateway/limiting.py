"""Charging a request to its caller: once on the way in, for what it costs."""

from domain.allowances import of_caller
from domain.callers import Caller
from gateway.exchange import Exchange


async def charge(exchange: Exchange, caller: Caller, cost: int) -> bool:
    """Whether the caller may send `cost` requests more; what the answer tells is kept."""
    allowance = exchange.allowance
    if allowance is None:
        allowance = exchange.allowance = of_caller(caller)
    decision = exchange.decision = await exchange.house.limiter.decide(allowance, cost)
    if decision.struck:
        exchange.house.overuse.note(caller)
    return decision.allowed
