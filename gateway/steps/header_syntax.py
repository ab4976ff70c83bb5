"""400 for headers that could be read in two ways, before anybody reads them."""

from contract.headers import check_headers
from contract.operations import Operation
from gateway.exchange import Exchange, Proceed


def bind(operation: Operation, proceed: Proceed) -> Proceed:
    async def with_clear_headers(exchange: Exchange) -> None:
        check_headers(exchange.scope["headers"], exchange.headers)
        await proceed(exchange)

    return with_clear_headers
