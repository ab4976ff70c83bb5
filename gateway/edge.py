"""The outermost of the ASGI layers: makes the exchange, and is the only one that answers."""

from collections.abc import Awaitable, Callable

from flows.house import House
from gateway.exchange import (
    CLIENT_GONE_STATUS,
    SCOPE_KEY,
    AsgiApp,
    Exchange,
    Proceed,
    Receive,
    Scope,
    Send,
)

NO_CONTENT, NOT_MODIFIED = 204, 304


class Edge:
    """Runs the steps of every request around Connexion and sends their answer once."""

    def __init__(self, app: AsgiApp, *, house: House, around: Callable[[Proceed], Proceed]) -> None:
        self._app = app
        self._house = house
        self._proceed = around(self._inside)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(self._house, scope, receive, send)
        scope[SCOPE_KEY] = exchange
        try:
            await self._proceed(exchange)
            if exchange.status != CLIENT_GONE_STATUS:
                await _send(exchange)
        finally:
            # The server's own object holds the scope: left in it, the exchange would be a
            # cycle of eighteen objects a request, and the collector would stop the loop.
            del scope[SCOPE_KEY]

    def _inside(self, exchange: Exchange) -> Awaitable[None]:
        return self._app(exchange.scope, exchange.receive, exchange.send)


async def _send(exchange: Exchange) -> None:
    body, headers = exchange.answer_body, exchange.answer_headers
    # The length of a 304 would be that of the 200; a 204 has none (RFC 9110 section 8.6).
    if exchange.status not in (NOT_MODIFIED, NO_CONTENT):
        headers = [*headers, (b"content-length", str(len(body)).encode("ascii"))]
    await exchange.send(
        {"type": "http.response.start", "status": exchange.status, "headers": headers}
    )
    # HEAD has the head of GET's answer, its length included, and no body.
    sent = b"" if exchange.scope["method"] == "HEAD" else body
    await exchange.send({"type": "http.response.body", "body": sent})
