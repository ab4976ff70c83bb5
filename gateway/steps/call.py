"""Hands the request to the operation's handler."""

from domain.callers import Asking
from gateway.exchange import Exchange, Handler, Proceed
from handlers.http import Request


def bind(handler: Handler) -> Proceed:
    async def called(exchange: Exchange) -> None:
        caller, asking = exchange.caller, None
        if caller is not None:
            asking = Asking(caller, exchange.request_id, exchange.once, exchange.if_match)
        exchange.answer = await handler(
            Request(
                house=exchange.house,
                request_id=exchange.request_id,
                asking=asking,
                path=exchange.path_parameters,
                query=exchange.query,
                body=exchange.body,
                items=exchange.items,
            )
        )

    return called
