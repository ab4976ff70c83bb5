"""Names the request.  The name is ours: one that a client sends is not taken over."""

from gateway.exchange import Exchange, Proceed
from runtime.ids import uuid7


def bind(proceed: Proceed) -> Proceed:
    async def with_request_id(exchange: Exchange) -> None:
        exchange.request_uuid = uuid7()
        exchange.request_id = "req_" + exchange.request_uuid.hex
        await proceed(exchange)

    return with_request_id
