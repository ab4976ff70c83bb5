"""Names the request.  The name is ours: one that a client sends is not taken over."""

from collections.abc import Awaitable

from gateway.exchange import Exchange, Proceed
from runtime.ids import uuid7


def bind(proceed: Proceed) -> Proceed:
    def with_request_id(exchange: Exchange) -> Awaitable[None]:
        exchange.request_uuid = uuid7()
        exchange.request_id = "req_" + exchange.request_uuid.hex
        return proceed(exchange)

    return with_request_id
