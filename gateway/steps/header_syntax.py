"""400 for headers that cannot be read, or in two ways, before anybody reads them."""

from contract.headers import check_headers, read_idempotency_key
from contract.operations import Operation
from gateway.exchange import Exchange, Proceed


def bind(operation: Operation, proceed: Proceed) -> Proceed:
    takes_key = operation.idempotency != "none"

    async def with_clear_headers(exchange: Exchange) -> None:
        check_headers(exchange.scope["headers"], exchange.headers)
        if takes_key:
            read_idempotency_key(exchange.headers)
        await proceed(exchange)

    return with_clear_headers
