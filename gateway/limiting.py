"""Charging a request to its caller: once on the way in, for what it costs."""

from domain.allowances import of_caller
from domain.callers import Caller
from gateway.exchange import Exchange


async def charge(exchange: Exchange, caller: Caller, cost: int, mark: str | None = None) -> bool:
    """Whether the caller may send `cost` requests more; what the answer tells is kept."""
    allowance = exchange.allowance
    if allowance is None:
        allowance = exchange.allowance = of_caller(caller)
    admitted = await exchange.house.limiter.admit(allowance, cost, mark)
    decision, exchange.seen_before = admitted
    exchange.decision = decision
    if decision.struck:
        exchange.house.overuse.note(caller)
    return decision.allowed
