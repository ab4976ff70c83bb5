"""Takes the body in: 413, 415, then 400 for what is not JSON."""

from contract.bodies import refuse_body
from contract.operations import Operation
from gateway.exchange import Exchange, Proceed


def bind(operation: Operation, proceed: Proceed) -> Proceed:
    body = operation.body

    async def with_body(exchange: Exchange) -> None:
        if body is not None:
            # A client may take its time, which must not be anybody else's.
            with exchange.house.room.waiting(exchange.request_id):
                data = await body.read(exchange.headers, exchange.receive)
            exchange.body = body.parse(data)
        await proceed(exchange)

    async def without_body(exchange: Exchange) -> None:
        await refuse_body(exchange.headers, exchange.receive)
        await proceed(exchange)

    return without_body if body is None else with_body
