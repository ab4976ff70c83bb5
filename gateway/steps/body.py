"""Takes the body in: 413, 415, then 400 for what is not JSON."""

from contract.bodies import refuse_body
from contract.operations import Operation
from gateway.exchange import Exchange, Proceed


def bind(operation: Operation, proceed: Proceed) -> Proceed:
    body = operation.body

    async def with_body(exchange: Exchange) -> None:
        if body is not None:
            exchange.body = body.parse(await body.read(exchange.headers, exchange.receive))
        await proceed(exchange)

    async def without_body(exchange: Exchange) -> None:
        await refuse_body(exchange.headers, exchange.receive)
        await proceed(exchange)

    return without_body if body is None else with_body
