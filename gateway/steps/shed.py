"""503 with nothing done while as many requests run as the process can carry.

Cheaper than any other answer that knows its operation: no key is looked up, no body read.
Whoever asks for our health is answered all the same.
"""

from contract.operations import Operation
from domain.refusals import Unavailable
from gateway.exchange import Exchange, Proceed


def bind(operation: Operation, proceed: Proceed) -> Proceed:
    if operation.rate_limit == "none":
        return proceed

    async def carried(exchange: Exchange) -> None:
        room = exchange.house.room
        if not room.enter():
            raise Unavailable
        try:
            await proceed(exchange)
        finally:
            room.leave()

    return carried
