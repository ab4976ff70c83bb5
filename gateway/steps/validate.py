"""400 where query or body are not what the document says; fills in the query's defaults."""

from contract.operations import Operation
from gateway.exchange import Exchange, Proceed


def bind(operation: Operation, proceed: Proceed) -> Proceed:
    parameters, body = operation.parameters, operation.body

    async def validated(exchange: Exchange) -> None:
        exchange.query = parameters.read_query(exchange.scope["query_string"])
        if body is not None and exchange.body is not None:
            body.check(exchange.body)
        await proceed(exchange)

    return validated
