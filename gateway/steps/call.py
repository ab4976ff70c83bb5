"""Hands the request to the operation's handler."""

from contract.operations import Operation
from domain.callers import Asking
from gateway.exchange import Exchange, Handler, Proceed
from handlers.http import Request, Visitor


def bind(operation: Operation, handler: Handler) -> Proceed:
    public = not operation.requirements

    async def called(exchange: Exchange) -> None:
        caller, asking = exchange.caller, None
        if caller is not None:
            asking = Asking(
                caller,
                exchange.request_id,
                exchange.once,
                exchange.if_match,
                exchange.client_address,
                exchange.risk_signals,
            )
        exchange.answer = await handler(
            Request(
                house=exchange.house,
                request_id=exchange.request_id,
                asking=asking,
                path=exchange.path_parameters,
                query=exchange.query,
                body=exchange.body,
                items=exchange.items,
                visitor=_visitor(exchange) if public else None,
            )
        )

    return called


def _visitor(exchange: Exchange) -> Visitor:
    def said(name: bytes) -> str | None:
        value = exchange.headers.get(name)
        return None if value is None else value.decode("latin-1")

    return Visitor(
        address=exchange.client_address,
        user_agent=said(b"user-agent") or "",
        origin=said(b"origin"),
        authorization=said(b"authorization"),
        cookie=said(b"cookie") or "",
    )
